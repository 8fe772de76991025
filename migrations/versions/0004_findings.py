"""What investigators find: assessments and adverse events; units as given; signatures of visits."""

from alembic import op
import sqlalchemy as sa


revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('assessment',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('subject_id', sa.Uuid(), nullable=False),
    sa.Column('visit_id', sa.Uuid(), nullable=False),
    sa.Column('visit_key', sa.String(length=40), nullable=False),
    sa.Column('instrument', sa.String(length=20), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('answers', sa.Text(), nullable=False),
    sa.Column('rater_id', sa.Uuid(), nullable=False),
    sa.Column('assessed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('reason', sa.String(length=1000), nullable=True),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('recorded_by', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['rater_id'], ['account.id'], name=op.f('fk_assessment_rater_id_account')),
    sa.ForeignKeyConstraint(['recorded_by'], ['account.id'], name=op.f('fk_assessment_recorded_by_account')),
    sa.ForeignKeyConstraint(['subject_id'], ['subject.id'], name=op.f('fk_assessment_subject_id_subject')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_assessment')),
    sa.UniqueConstraint('visit_id', 'instrument', 'revision', name=op.f('uq_assessment_visit_id_instrument_revision'))
    )
    with op.batch_alter_table('assessment', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_assessment_subject_id'), ['subject_id'], unique=False)

    op.create_table('adverse_event',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('event_id', sa.Uuid(), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('subject_id', sa.Uuid(), nullable=False),
    sa.Column('site_id', sa.Uuid(), nullable=False),
    sa.Column('term', sa.String(length=200), nullable=False),
    sa.Column('soc', sa.String(length=60), nullable=False),
    sa.Column('scale', sa.String(length=20), nullable=False),
    sa.Column('scale_version', sa.String(length=10), nullable=False),
    sa.Column('grade', sa.Integer(), nullable=False),
    sa.Column('onset_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('serious', sa.Boolean(), nullable=False),
    sa.Column('seriousness', sa.Text(), nullable=False),
    sa.Column('serious_known_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('reported_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('related_product', sa.String(length=20), nullable=False),
    sa.Column('related_lymphodepletion', sa.String(length=20), nullable=False),
    sa.Column('related_procedure', sa.String(length=20), nullable=False),
    sa.Column('action', sa.String(length=30), nullable=False),
    sa.Column('outcome', sa.String(length=30), nullable=False),
    sa.Column('dlt', sa.String(length=12), nullable=False),
    sa.Column('special_interest', sa.String(length=40), nullable=True),
    sa.Column('episode_id', sa.Uuid(), nullable=True),
    sa.Column('note', sa.String(length=1000), nullable=True),
    sa.Column('void', sa.Boolean(), nullable=False),
    sa.Column('reason', sa.String(length=1000), nullable=True),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('recorded_by', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['episode_id'], ['episode.id'], name=op.f('fk_adverse_event_episode_id_episode')),
    sa.ForeignKeyConstraint(['recorded_by'], ['account.id'], name=op.f('fk_adverse_event_recorded_by_account')),
    sa.ForeignKeyConstraint(['site_id'], ['site.id'], name=op.f('fk_adverse_event_site_id_site')),
    sa.ForeignKeyConstraint(['subject_id'], ['subject.id'], name=op.f('fk_adverse_event_subject_id_subject')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_adverse_event')),
    sa.UniqueConstraint('event_id', 'revision', name=op.f('uq_adverse_event_event_id_revision'))
    )
    with op.batch_alter_table('adverse_event', schema=None) as batch_op:
        batch_op.create_index('ix_adverse_event_site', ['site_id', 'onset_at', 'event_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_adverse_event_subject_id'), ['subject_id'], unique=False)

    for name, length in (('given_value', 40), ('given_unit', 40), ('laboratory', 100)):
        op.add_column('measurement', sa.Column(name, sa.String(length=length), nullable=True))
    op.add_column('medication', sa.Column('every_days', sa.String(length=40), nullable=True))
    op.add_column('medication', sa.Column('route', sa.String(length=20), nullable=True))
    op.add_column('medication', sa.Column('rescue', sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column('signature', sa.Column('visit_id', sa.Uuid(), nullable=True))
    op.add_column('signature', sa.Column('part', sa.String(length=10), nullable=True))
    op.add_column('signature', sa.Column('content', sa.Text(), nullable=True))


def downgrade() -> None:
    for table, names in (
        ('signature', ('content', 'part', 'visit_id')),
        ('medication', ('rescue', 'route', 'every_days')),
        ('measurement', ('laboratory', 'given_unit', 'given_value')),
    ):
        for name in names:
            op.drop_column(table, name)
    for table in ('adverse_event', 'assessment'):
        op.drop_table(table)
