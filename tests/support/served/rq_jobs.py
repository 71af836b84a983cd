"""Jobs of RQ, for its workers; as a program, forty of them, with failures, retries, and one scheduled."""

import datetime as dt
import os
import sys
import time

import redis
from rq import Queue, Retry
from rq.job import Dependency, JobStatus

NUMBER = 40
DEADLINE_S = 300

connection = redis.Redis.from_url(os.environ["KV"])


def add(one, two):
    return one + two


def fail():
    raise ValueError("no such luck")


def succeed_at(attempt, name):
    if connection.incr(f"attempts of {name}") < attempt:
        raise ValueError("not yet")
    return name


def total(ids):
    from rq.job import Job

    return sum(job.return_value() for job in Job.fetch_many(ids, connection))


def wait_for(job):
    deadline_s = time.monotonic() + DEADLINE_S
    while job.get_status(refresh=True) not in (JobStatus.FINISHED, JobStatus.FAILED):
        if time.monotonic() > deadline_s:
            sys.exit(f"{job} is {job.get_status()}")
        time.sleep(0.02)
    return job


def main():
    queue = Queue("jobs", connection=connection)
    retried = [queue.enqueue(succeed_at, 3, str(number), retry=Retry(max=3)) for number in range(10)]
    failing = queue.enqueue(fail, retry=Retry(max=1))
    later = queue.enqueue_in(dt.timedelta(seconds=1), add, 20, 22)
    added = [queue.enqueue(add, number, number) for number in range(NUMBER)]
    summed = queue.enqueue(total, [job.id for job in added], depends_on=Dependency(jobs=added))

    assert wait_for(summed).return_value() == sum(2 * number for number in range(NUMBER))
    assert [wait_for(job).return_value() for job in retried] == [str(number) for number in range(10)]
    failed = wait_for(failing)
    assert failed.get_status() == JobStatus.FAILED
    assert "no such luck" in failed.latest_result().exc_string
    assert failed.id in queue.failed_job_registry.get_job_ids()
    assert wait_for(later).return_value() == 42
    assert queue.count == 0


if __name__ == "__main__":
    main()
