-- Whose rows a transaction may touch was worked out for each row, all tenants of a batch each time: now once for each statement.
DO $$
DECLARE
    policy record;
    of_row CONSTANT text := 'ANY (current_tenants())';
    of_statement CONSTANT text := 'ANY ((SELECT current_tenants())::uuid[])';
BEGIN
    FOR policy IN
        SELECT tablename, policyname, replace(qual, of_row, of_statement) AS qual, replace(with_check, of_row, of_statement) AS with_check
        FROM pg_policies
        WHERE schemaname = 'public' AND concat(qual, with_check) LIKE '%' || of_row || '%'
    LOOP
        EXECUTE format('ALTER POLICY %I ON %I', policy.policyname, policy.tablename)
            || coalesce(' USING (' || policy.qual || ')', '')
            || coalesce(' WITH CHECK (' || policy.with_check || ')', '');
    END LOOP;
END
$$;
