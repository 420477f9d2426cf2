"""The request log: every scored customer becomes a row of the store, written behind the answer by a process of its own.

    desk's process    RequestLog.add -> bounded queue -> thread -> socket pair    `queue`, `child`
    the writer        rows with keyed hashes -> database, or spool on disk    `writer`, `rows`, `destination`, `spool`

The desk does as little as it can for each request, and keeps one object of it. The writer handles a second's entries at
once and by column. The table has no index but the one that keeps batches apart.

The desk has one batch under way at a time and keeps it until the writer has it in the database or in the spool. A batch
has a number, and the database takes a number once. So each row that a batch holds is written exactly once, or counted
as dropped, also where the writer is killed, the database stops at any moment, or the desk is started anew. What the
desk's own queue holds (the last second, more while the writer waits) is lost where the desk is killed.
"""
