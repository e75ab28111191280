//! What a process writes: one JSON object a line, whatever happens.

use anyhost_tests::process::{PATIENCE, Signal};
use serde_json::Value;

use anyhost_tests::connection::Wire;
use anyhost_tests::fleet::Instance;

#[test]
fn every_event_is_one_line_of_json_even_a_panic() {
    for program in ["echo-paas", "echo-vm"] {
        let instance = Instance::start(program, &[("LOG_LEVEL", "debug"), ("LOG_FORMAT", "json")]);
        assert_eq!(Wire::to(instance.port).get("/r/panic").status, 500);
        let mut broken = Wire::to(instance.port);
        broken.write("GET /r/err HTTP/1.1\r\nhost: test\r\n\r\n");
        broken.rest();
        Wire::to(instance.port).get("/with%0Anewline?a=%0D%0A");
        instance.tell(Signal::TERM);
        assert_eq!(instance.exit_code(PATIENCE), 0);
        let lines = instance.process.log().lines();
        assert!(lines.len() > 3, "{lines:?}");
        for line in &lines {
            let event: Value = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{program}: {error}: {line:?}"));
            assert!(event["timestamp"].is_string() && event["level"].is_string(), "{line}");
        }
        let panicked = lines.iter().find(|line| line.to_ascii_lowercase().contains("panic"));
        assert!(panicked.is_some_and(|line| line.contains("ERROR")), "{lines:?}");
    }
}
