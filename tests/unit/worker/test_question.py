"""Questions of a worker to its master: asked once for all waiting callers, and again when the answer is lost."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING

import pytest

from corepool.ipc.messages import AskStatus
from corepool.worker.question import StatusQuestion

if TYPE_CHECKING:
    from pathlib import Path

STATUS = {"pid": 7}


def answer(directory: Path) -> list[int]:
    path = directory / "answer"
    path.write_text(json.dumps(STATUS))
    return [os.open(path, os.O_RDONLY)]


def test_those_who_wait_share_one_question(tmp_path: Path) -> None:
    said: list[AskStatus] = []

    async def scenario() -> list[object]:
        question = StatusQuestion(asyncio.get_running_loop(), lambda each: said.append(each) or True, again_s=3600)
        waiting = [asyncio.ensure_future(question.ask()) for _ in range(100)]
        await asyncio.sleep(0)
        question.answered(answer(tmp_path))
        first = await asyncio.gather(*waiting)
        last = asyncio.ensure_future(question.ask())
        await asyncio.sleep(0)
        question.answered(answer(tmp_path))
        return [*first, await last]

    assert asyncio.run(scenario()) == [STATUS] * 101
    assert said == [AskStatus()] * 2


def test_a_question_whose_answer_is_lost_is_asked_again(tmp_path: Path) -> None:
    said: list[AskStatus] = []

    async def scenario() -> object:
        def say(message: AskStatus) -> bool:
            said.append(message)
            if len(said) == 2:
                question.answered([])  # out of descriptors
            if len(said) == 4:
                question.answered(answer(tmp_path))
            return len(said) != 3

        question = StatusQuestion(asyncio.get_running_loop(), say, again_s=0.001)
        return await asyncio.wait_for(question.ask(), 20)

    assert asyncio.run(scenario()) == STATUS
    assert len(said) == 4


def test_a_master_that_reads_nothing_is_told_at_once() -> None:
    async def scenario() -> None:
        question = StatusQuestion(asyncio.get_running_loop(), lambda _: False)
        with pytest.raises(BlockingIOError):
            await question.ask()

    asyncio.run(scenario())
