"""Tasks of Celery, for its workers; as a program, a chord of a thousand, of which a tenth is tried again twice."""

import os

from celery import Celery, chord

NUMBER = 1000
DEADLINE_S = 300

app = Celery("celery_tasks", broker=os.environ["KV"], backend=os.environ["KV"])
app.conf.update(task_acks_late=True, broker_connection_retry_on_startup=True)


@app.task(bind=True, max_retries=5, default_retry_delay=0)
def retried(self, number):
    if number % 10 == 0 and self.request.retries < 2:
        raise self.retry(countdown=0)
    return number


@app.task
def total(numbers):
    return sum(numbers)


if __name__ == "__main__":
    work = chord([retried.s(number) for number in range(NUMBER)])(total.s())
    assert work.get(timeout=DEADLINE_S) == sum(range(NUMBER))
