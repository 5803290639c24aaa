//! Record formats: bytes to Arrow columns and back.
