//! State stores: memory and RocksDB, key and value codecs, changelog records.
