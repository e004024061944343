"""What the service does, as pure functions of recorded state, a command and the time.

A command takes a State and returns a Transition, or raises Rejected and has changed nothing. Whoever calls it makes the
transition durable, then performs its effects, and hands it to `state.absorb`. Commands on one execution come one at a time.

    execution    start_execution, already_started, stop_execution, delete_execution, outcome_for_parent, parent_notified
    invocation   begin_invocation; then one of invocation_succeeded, _failed, _lost
    checkpoint   checkpoint, readable_operations
    callback     complete_callback, heartbeat_callback
    invoke       complete_chained_invoke
    pause        pause_execution, resume_execution
    upkeep       fire_timers, needs_recovery, recover
    history      render_event
    tokens       parse_callback_id: whose callback it is
"""
