"""Who of the staff keeps in touch with a subject, handed over after each stay in hospital."""

from alembic import op
import sqlalchemy as sa


revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('subject', sa.Column('contact_person_id', sa.Uuid(), nullable=True))
    op.add_column('subject', sa.Column('contact_since', sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column('subject', 'contact_since')
    op.drop_column('subject', 'contact_person_id')
