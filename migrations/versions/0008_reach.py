"""Since when an account has its number, and an index to find the last text it was sent."""

from alembic import op
import sqlalchemy as sa


revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('account', sa.Column('phone_set_at', sa.DateTime(timezone=True), nullable=True))
    op.create_index('ix_message_account_created', 'message', ['account_id', 'created_at'])
    op.drop_index('ix_message_account_id', table_name='message')


def downgrade() -> None:
    op.create_index('ix_message_account_id', 'message', ['account_id'])
    op.drop_index('ix_message_account_created', table_name='message')
    op.drop_column('account', 'phone_set_at')
