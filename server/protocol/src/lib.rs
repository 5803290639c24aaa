//! The JSON model of the HTTP API, shared by the server and the command line.
