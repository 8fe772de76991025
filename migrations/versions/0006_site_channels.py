"""By which ways a site's messages travel, how each message did, and since when a site may enrol."""

from alembic import op
import sqlalchemy as sa


revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('site_channel',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('site_id', sa.Uuid(), nullable=False),
    sa.Column('medium', sa.String(length=10), nullable=False),
    sa.Column('gateway', sa.String(length=20), nullable=False),
    sa.Column('rung', sa.Integer(), nullable=False),
    sa.Column('sealed', sa.LargeBinary(), nullable=True),
    sa.Column('platform', sa.Text(), nullable=False),
    sa.Column('test_message_id', sa.Uuid(), nullable=True),
    sa.Column('accepted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('accepted_by', sa.Uuid(), nullable=True),
    sa.Column('posted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['accepted_by'], ['account.id'], name=op.f('fk_site_channel_accepted_by_account')),
    sa.ForeignKeyConstraint(['site_id'], ['site.id'], name=op.f('fk_site_channel_site_id_site')),
    sa.ForeignKeyConstraint(['test_message_id'], ['message.id'], name=op.f('fk_site_channel_test_message_id_message')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_site_channel')),
    sa.UniqueConstraint('site_id', 'medium', name=op.f('uq_site_channel_site_id_medium'))
    )
    op.add_column('message', sa.Column('medium', sa.String(length=10), server_default='sms', nullable=False))
    op.add_column('site', sa.Column('live_at', sa.DateTime(timezone=True), nullable=True))
    # A site that has enrolled is live already.
    op.execute('UPDATE site SET live_at = (SELECT MIN(enrolled_at) FROM subject WHERE subject.site_id = site.id)')


def downgrade() -> None:
    op.drop_column('site', 'live_at')
    op.drop_column('message', 'medium')
    op.drop_table('site_channel')
