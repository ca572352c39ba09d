-- Test only: every change of a control row is written down, so that nothing between two looks is missed.
CREATE TABLE chaos_audit (
    id BIGSERIAL PRIMARY KEY,
    at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    control_table TEXT NOT NULL,
    partition_id TEXT NOT NULL,
    before JSONB,
    after JSONB
);

CREATE FUNCTION chaos_audited() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos_audit (control_table, partition_id, before, after)
    VALUES (TG_TABLE_NAME, coalesce(NEW.partition_id, OLD.partition_id), to_jsonb(OLD), to_jsonb(NEW));
    RETURN NULL;
END
$$;

CREATE TRIGGER chaos_audit_checkpoint AFTER INSERT OR UPDATE OR DELETE ON evsup_checkpoint
    FOR EACH ROW EXECUTE FUNCTION chaos_audited();

CREATE TRIGGER chaos_audit_ownership AFTER INSERT OR UPDATE OR DELETE ON evsup_ownership
    FOR EACH ROW EXECUTE FUNCTION chaos_audited();
