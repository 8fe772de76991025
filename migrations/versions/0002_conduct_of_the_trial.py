"""The conduct of the trial: visits outside the plan, amendments, delegation, records; and lists in constant time."""

from alembic import op
import sqlalchemy as sa


revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('amendment',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('site_id', sa.Uuid(), nullable=False),
    sa.Column('study_revision_id', sa.Uuid(), nullable=False),
    sa.Column('effective_on', sa.Date(), nullable=False),
    sa.Column('staying', sa.Text(), nullable=False),
    sa.Column('reason', sa.String(length=1000), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('proposed_by', sa.Uuid(), nullable=False),
    sa.Column('proposed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('decided_by', sa.Uuid(), nullable=True),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('difference_sha256', sa.String(length=64), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['decided_by'], ['account.id'], name=op.f('fk_amendment_decided_by_account')),
    sa.ForeignKeyConstraint(['proposed_by'], ['account.id'], name=op.f('fk_amendment_proposed_by_account')),
    sa.ForeignKeyConstraint(['site_id'], ['site.id'], name=op.f('fk_amendment_site_id_site')),
    sa.ForeignKeyConstraint(['study_revision_id'], ['study_revision.id'], name=op.f('fk_amendment_study_revision_id_study_revision')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_amendment'))
    )
    with op.batch_alter_table('amendment', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_amendment_site_id'), ['site_id'], unique=False)

    op.create_table('consent_text',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('site_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('text_version', sa.String(length=40), nullable=False),
    sa.Column('valid_from', sa.DateTime(timezone=True), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('recorded_by', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['recorded_by'], ['account.id'], name=op.f('fk_consent_text_recorded_by_account')),
    sa.ForeignKeyConstraint(['site_id'], ['site.id'], name=op.f('fk_consent_text_site_id_site')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_consent_text')),
    sa.UniqueConstraint('site_id', 'kind', 'text_version', name=op.f('uq_consent_text_site_id_kind_text_version'))
    )
    with op.batch_alter_table('consent_text', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_consent_text_site_id'), ['site_id'], unique=False)

    op.create_table('delegation',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('site_id', sa.Uuid(), nullable=False),
    sa.Column('account_id', sa.Uuid(), nullable=False),
    sa.Column('task', sa.String(length=40), nullable=False),
    sa.Column('valid_from', sa.Date(), nullable=False),
    sa.Column('valid_to', sa.Date(), nullable=True),
    sa.Column('requested_by', sa.Uuid(), nullable=True),
    sa.Column('requested_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('approved_by', sa.Uuid(), nullable=True),
    sa.Column('approved_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_by', sa.Uuid(), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_why', sa.String(length=1000), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_delegation_account_id_account')),
    sa.ForeignKeyConstraint(['approved_by'], ['account.id'], name=op.f('fk_delegation_approved_by_account')),
    sa.ForeignKeyConstraint(['ended_by'], ['account.id'], name=op.f('fk_delegation_ended_by_account')),
    sa.ForeignKeyConstraint(['requested_by'], ['account.id'], name=op.f('fk_delegation_requested_by_account')),
    sa.ForeignKeyConstraint(['site_id'], ['site.id'], name=op.f('fk_delegation_site_id_site')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_delegation'))
    )
    with op.batch_alter_table('delegation', schema=None) as batch_op:
        batch_op.create_index('ix_delegation_account_site', ['account_id', 'site_id', 'task'], unique=False)
        batch_op.create_index('ix_delegation_site', ['site_id', 'requested_at', 'id'], unique=False)

    op.create_table('site_day',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('site_id', sa.Uuid(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('working', sa.Boolean(), nullable=False),
    sa.Column('name_zh', sa.String(length=200), nullable=False),
    sa.Column('name_en', sa.String(length=200), nullable=False),
    sa.Column('source', sa.String(length=20), nullable=False),
    sa.Column('reason', sa.String(length=1000), nullable=True),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('recorded_by', sa.Uuid(), nullable=True),
    sa.ForeignKeyConstraint(['recorded_by'], ['account.id'], name=op.f('fk_site_day_recorded_by_account')),
    sa.ForeignKeyConstraint(['site_id'], ['site.id'], name=op.f('fk_site_day_site_id_site')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_site_day')),
    sa.UniqueConstraint('site_id', 'day', 'revision', name=op.f('uq_site_day_site_id_day_revision'))
    )
    op.create_table('data_query',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('subject_id', sa.Uuid(), nullable=False),
    sa.Column('site_id', sa.Uuid(), nullable=False),
    sa.Column('entity', sa.String(length=40), nullable=False),
    sa.Column('entity_id', sa.Uuid(), nullable=False),
    sa.Column('field', sa.String(length=100), nullable=True),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('opened_by', sa.Uuid(), nullable=False),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['opened_by'], ['account.id'], name=op.f('fk_data_query_opened_by_account')),
    sa.ForeignKeyConstraint(['site_id'], ['site.id'], name=op.f('fk_data_query_site_id_site')),
    sa.ForeignKeyConstraint(['subject_id'], ['subject.id'], name=op.f('fk_data_query_subject_id_subject')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_data_query'))
    )
    with op.batch_alter_table('data_query', schema=None) as batch_op:
        batch_op.create_index('ix_data_query_site_state', ['site_id', 'state', 'opened_at', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_data_query_subject_id'), ['subject_id'], unique=False)

    op.create_table('excuse',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('excuse_id', sa.Uuid(), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('subject_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.String(length=40), nullable=False),
    sa.Column('since', sa.DateTime(timezone=True), nullable=False),
    sa.Column('until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('reason', sa.String(length=1000), nullable=False),
    sa.Column('void', sa.Boolean(), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('recorded_by', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['recorded_by'], ['account.id'], name=op.f('fk_excuse_recorded_by_account')),
    sa.ForeignKeyConstraint(['subject_id'], ['subject.id'], name=op.f('fk_excuse_subject_id_subject')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_excuse')),
    sa.UniqueConstraint('excuse_id', 'revision', name=op.f('uq_excuse_excuse_id_revision'))
    )
    with op.batch_alter_table('excuse', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_excuse_subject_id'), ['subject_id'], unique=False)

    op.create_table('record_freeze',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('scope', sa.String(length=10), nullable=False),
    sa.Column('target_id', sa.Uuid(), nullable=True),
    sa.Column('subject_id', sa.Uuid(), nullable=True),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('closed', sa.Boolean(), nullable=False),
    sa.Column('reason', sa.String(length=1000), nullable=False),
    sa.Column('by_id', sa.Uuid(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['by_id'], ['account.id'], name=op.f('fk_record_freeze_by_id_account')),
    sa.ForeignKeyConstraint(['subject_id'], ['subject.id'], name=op.f('fk_record_freeze_subject_id_subject')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_record_freeze'))
    )
    with op.batch_alter_table('record_freeze', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_record_freeze_subject_id'), ['subject_id'], unique=False)
        batch_op.create_index('ix_record_freeze_target', ['scope', 'target_id', 'revision'], unique=False)

    op.create_table('product',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('subject_id', sa.Uuid(), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('lot', sa.String(length=60), nullable=False),
    sa.Column('car_t_cells', sa.String(length=40), nullable=False),
    sa.Column('viability_pct', sa.String(length=40), nullable=True),
    sa.Column('weight_kg', sa.String(length=40), nullable=False),
    sa.Column('volume_ml', sa.String(length=40), nullable=True),
    sa.Column('given_ml', sa.String(length=40), nullable=True),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('stopped_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('release_tests', sa.Text(), nullable=False),
    sa.Column('note', sa.String(length=1000), nullable=True),
    sa.Column('reason', sa.String(length=1000), nullable=True),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('recorded_by', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['recorded_by'], ['account.id'], name=op.f('fk_product_recorded_by_account')),
    sa.ForeignKeyConstraint(['subject_id'], ['subject.id'], name=op.f('fk_product_subject_id_subject')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_product')),
    sa.UniqueConstraint('subject_id', 'revision', name=op.f('uq_product_subject_id_revision'))
    )
    op.create_table('signature',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('subject_id', sa.Uuid(), nullable=False),
    sa.Column('scope', sa.String(length=20), nullable=False),
    sa.Column('meaning', sa.String(length=500), nullable=False),
    sa.Column('audit_seq', sa.Integer(), nullable=False),
    sa.Column('audit_hash', sa.String(length=64), nullable=False),
    sa.Column('signed_by', sa.Uuid(), nullable=False),
    sa.Column('signed_as', sa.String(length=30), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['signed_by'], ['account.id'], name=op.f('fk_signature_signed_by_account')),
    sa.ForeignKeyConstraint(['subject_id'], ['subject.id'], name=op.f('fk_signature_subject_id_subject')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_signature'))
    )
    with op.batch_alter_table('signature', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_signature_subject_id'), ['subject_id'], unique=False)

    op.create_table('subject_revision',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('subject_id', sa.Uuid(), nullable=False),
    sa.Column('amendment_id', sa.Uuid(), nullable=False),
    sa.Column('from_revision_id', sa.Uuid(), nullable=False),
    sa.Column('study_revision_id', sa.Uuid(), nullable=False),
    sa.Column('effective_on', sa.Date(), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('recorded_by', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['amendment_id'], ['amendment.id'], name=op.f('fk_subject_revision_amendment_id_amendment')),
    sa.ForeignKeyConstraint(['from_revision_id'], ['study_revision.id'], name=op.f('fk_subject_revision_from_revision_id_study_revision')),
    sa.ForeignKeyConstraint(['recorded_by'], ['account.id'], name=op.f('fk_subject_revision_recorded_by_account')),
    sa.ForeignKeyConstraint(['study_revision_id'], ['study_revision.id'], name=op.f('fk_subject_revision_study_revision_id_study_revision')),
    sa.ForeignKeyConstraint(['subject_id'], ['subject.id'], name=op.f('fk_subject_revision_subject_id_subject')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_subject_revision')),
    sa.UniqueConstraint('subject_id', 'effective_on', name=op.f('uq_subject_revision_subject_id_effective_on'))
    )
    with op.batch_alter_table('subject_revision', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_subject_revision_subject_id'), ['subject_id'], unique=False)

    op.create_table('training',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('site_id', sa.Uuid(), nullable=False),
    sa.Column('account_id', sa.Uuid(), nullable=True),
    sa.Column('subject_id', sa.Uuid(), nullable=True),
    sa.Column('topic', sa.String(length=100), nullable=False),
    sa.Column('material_version', sa.String(length=40), nullable=False),
    sa.Column('trained_on', sa.Date(), nullable=False),
    sa.Column('trainer', sa.String(length=100), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('recorded_by', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_training_account_id_account')),
    sa.ForeignKeyConstraint(['recorded_by'], ['account.id'], name=op.f('fk_training_recorded_by_account')),
    sa.ForeignKeyConstraint(['site_id'], ['site.id'], name=op.f('fk_training_site_id_site')),
    sa.ForeignKeyConstraint(['subject_id'], ['subject.id'], name=op.f('fk_training_subject_id_subject')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_training'))
    )
    with op.batch_alter_table('training', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_training_account_id'), ['account_id'], unique=False)
        batch_op.create_index('ix_training_site', ['site_id', 'recorded_at', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_training_subject_id'), ['subject_id'], unique=False)

    op.create_table('unscheduled_visit',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('subject_id', sa.Uuid(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('reason', sa.String(length=1000), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('recorded_by', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['recorded_by'], ['account.id'], name=op.f('fk_unscheduled_visit_recorded_by_account')),
    sa.ForeignKeyConstraint(['subject_id'], ['subject.id'], name=op.f('fk_unscheduled_visit_subject_id_subject')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_unscheduled_visit'))
    )
    with op.batch_alter_table('unscheduled_visit', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_unscheduled_visit_subject_id'), ['subject_id'], unique=False)

    op.create_table('query_note',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('query_id', sa.Uuid(), nullable=False),
    sa.Column('seq', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('text', sa.String(length=2000), nullable=False),
    sa.Column('by_id', sa.Uuid(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['by_id'], ['account.id'], name=op.f('fk_query_note_by_id_account')),
    sa.ForeignKeyConstraint(['query_id'], ['data_query.id'], name=op.f('fk_query_note_query_id_data_query')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_query_note')),
    sa.UniqueConstraint('query_id', 'seq', name=op.f('uq_query_note_query_id_seq'))
    )
    # Columns are added in place: a copy of a table would lose its rows' references and its guards on SQLite.
    op.add_column('consent', sa.Column('given_by', sa.String(length=20), nullable=False, server_default='subject'))
    op.add_column('installation', sa.Column('locked_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('site', sa.Column('country', sa.String(length=2), nullable=False, server_default='CN'))
    # A site that was running without a delegation log goes on until somebody asks for one.
    op.add_column('site', sa.Column('delegates', sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column('subject', sa.Column('amended_to_id', sa.Uuid(), nullable=True))
    op.add_column('subject', sa.Column('amended_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('subject', sa.Column('locked_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('subject', sa.Column('hospital_since', sa.DateTime(timezone=True), nullable=True))
    staying = sa.text('hospital_since IS NOT NULL')
    op.create_index(
        'ix_subject_in_hospital', 'subject', ['site_id', 'number'], sqlite_where=staying, postgresql_where=staying
    )
    op.add_column('subject_event', sa.Column('place', sa.String(length=40), nullable=True))

    nobody, undated = '0' * 32, '2200-01-01 00:00:00.000000'
    for column in (
        sa.Column('target_on', sa.Date(), nullable=True),
        sa.Column('earliest_on', sa.Date(), nullable=True),
        sa.Column('latest_on', sa.Date(), nullable=True),
        sa.Column('edition', sa.Integer(), nullable=False, server_default='0'),
        sa.Column('study_revision_id', sa.Uuid(), nullable=False, server_default=nobody),
        # "stale": whoever runs the migrations has each such subject's calendar written anew afterwards.
        sa.Column('stage', sa.String(length=14), nullable=False, server_default='stale'),
        sa.Column('turns_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('listed_at', sa.DateTime(timezone=True), nullable=False, server_default=undated),
    ):
        op.add_column('occurrence', column)
    op.drop_index('ix_occurrence_site_kind_due', table_name='occurrence')
    op.create_index('ix_occurrence_listed', 'occurrence', ['site_id', 'kind', 'listed_at', 'id'])
    op.create_index('ix_occurrence_stage', 'occurrence', ['site_id', 'kind', 'stage', 'listed_at', 'id', 'turns_at'])
    dated = sa.text('turns_at IS NOT NULL')
    op.create_index(
        'ix_occurrence_turns', 'occurrence', ['site_id', 'kind', 'turns_at'], sqlite_where=dated, postgresql_where=dated
    )
