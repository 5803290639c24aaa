//! Consumer groups: deletion.

use rdkafka::bindings::*;

use crate::admin::Admin;
use crate::error::Result;
use crate::raw::{array, cstring, failure};

impl Admin {
    /// Deletes a group and its offsets. A group that does not exist is
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound).
    pub fn delete_group(&self, id: &str) -> Result<()> {
        let operation = || format!("delete group {id}");
        let name = cstring(id)?;
        let apart = self.apart()?;
        // SAFETY: the request is copied by the call; results are read while the event lives
        unsafe {
            let mut request = rd_kafka_DeleteGroup_new(name.as_ptr());
            let event = apart.ask(
                rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETEGROUPS,
                |rk, options, queue| {
                    rd_kafka_DeleteGroups(rk, &mut request, 1, options, queue);
                    rd_kafka_DeleteGroup_destroy(request);
                },
                operation,
            )?;
            let result = rd_kafka_event_DeleteGroups_result(event.0);
            let mut count = 0;
            let groups = rd_kafka_DeleteGroups_result_groups(result, &mut count);
            for group in array(groups, count) {
                let error = rd_kafka_group_result_error(*group);
                if !error.is_null() {
                    return Err(failure(rd_kafka_error_code(error), operation()));
                }
            }
            Ok(())
        }
    }
}
