-- A claim of released work must not touch an index: it happens to every row, and changes only what no index and no predicate of
-- one knows (HOT, heap-only tuples). So the predicates go by what such a step does not change.
ALTER TABLE work ADD COLUMN phase text NOT NULL
    GENERATED ALWAYS AS (CASE WHEN state IN ('released', 'claimed') THEN 'out' ELSE state END) STORED;
DROP INDEX work_waiting;
DROP INDEX work_leased;
DROP INDEX work_held;
CREATE INDEX work_waiting ON work (kind, partition, flow, lane, due_at, id) WHERE phase = 'waiting';
CREATE INDEX work_out ON work (kind, partition, flow) WHERE phase = 'out';
CREATE INDEX work_held ON work (hold_scope) WHERE hold_scope IS NOT NULL;
