//! Push operators over column batches: tasks, steps and interleaving. No I/O, no clock, no async.
