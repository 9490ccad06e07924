-- A subject is a message, an event or a callback's delivery, and each has ids of its own. With the kind in this index, the
-- planner of a fresh database found all work of a kind through it, as cheap as by the index that was meant, and kept to that.
ALTER TABLE work DROP CONSTRAINT work_subject_key;
ALTER TABLE work ADD CONSTRAINT work_subject_key UNIQUE (subject);
