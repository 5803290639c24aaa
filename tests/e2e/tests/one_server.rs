//! One server for one data folder.

use weir_test_support::WeirServer;

#[test]
fn a_second_server_on_the_same_folder_says_what_is_wrong() {
    let server = WeirServer::start(&[]);
    let second = server.second_on_same_folder();
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success(), "{second:?}");
    for words in ["another Weir server is using", "weir.data.dir=DIR"] {
        assert!(said.contains(words), "{said}");
    }
    // The first one goes on.
    assert_eq!(server.http().ksql("SHOW STREAMS;")[0]["@type"], "streams");
}
