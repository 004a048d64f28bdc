"""When a process that computes is given up, on a clock that the test moves."""

from __future__ import annotations

import pytest

from bertline.serving.costs import MOST_PATIENCE, PATIENCE_HOLDS_S, Costs
from bertline.serving.watch import ALIVE, BEAT_S, FAR, LEAST_S, QUIET_S, SILENT_S, TICK_S, Watch

TIMEOUT_S = 15.0
TOKENS = 64


def costs(seconds: float = 0.01, output: str = "logits") -> Costs:
    found = Costs()
    found.learn(output, TOKENS, seconds, alone=False)
    return found


class Story:
    """A process, and what the watch has to say of it.

    Args:
        known: what batches cost.
        answers: it says that it lives when it is asked.
    """

    def __init__(self, known: Costs, *, answers: bool = True) -> None:
        self.now_s, self.answers = 100.0, answers
        self.watch = Watch(known, TIMEOUT_S, self.now_s)
        self.verdict: str | None = None
        self.red_s: float | None = None  # when it was first not ready
        self._asked_s = self.now_s

    def pass_(self, seconds: float, tick_s: float = TICK_S) -> None:
        """Look as the server does, until it is given up."""
        end_s = self.now_s + seconds
        while self.now_s < end_s - 1e-9 and self.verdict is None:
            self.now_s += tick_s
            self.verdict = self.watch.look(self.now_s)
            if self.watch.silent and self.red_s is None:
                self.red_s = self.now_s
            if self.now_s - self._asked_s >= BEAT_S:
                self._asked_s = self.now_s
                if self.answers:
                    self.watch.heard(self.now_s)

    def send(self, number: int = 1, output: str = "logits", tokens: int = TOKENS, *, alone: bool = False) -> float:
        """Give it a batch."""
        self.watch.sent(number, output, tokens, self.now_s, alone=alone)
        return self.now_s


def test_a_stopped_process_is_red_and_given_up_within_two_seconds() -> None:
    """R19: the batch costs 10 ms and nothing is heard of the process."""
    story = Story(costs(), answers=False)
    began_s = story.send()
    story.pass_(10)
    assert story.red_s is not None
    assert story.red_s - began_s <= 2
    assert story.now_s - began_s <= 2
    assert story.verdict == "a batch took longer than 1.5 s and usually takes about 0.01 s"


def test_a_stopped_process_is_unready_within_two_seconds_even_with_long_batches() -> None:
    """R19: readiness does not wait until the batch is overdue."""
    story = Story(costs(0.8), answers=False)
    began_s = story.send()
    story.pass_(FAR * 0.8 - 0.2)
    assert story.verdict is None
    assert story.red_s is not None
    assert story.red_s - began_s <= 2
    story.pass_(1)
    assert story.verdict == "a batch took longer than 8 s and usually takes about 0.8 s"


def test_one_lane_that_hangs_while_the_others_answer_ends_the_process_and_is_not_red_before() -> None:
    """R19: the other lane answers batch after batch."""
    story = Story(costs())
    began_s = story.send()
    for number in range(2, 200):
        story.send(number)
        story.pass_(0.05, 0.05)
        story.watch.answered(number, 0.01)
    assert story.verdict == "a batch took longer than 3 s and usually takes about 0.01 s"
    assert story.now_s - began_s == pytest.approx(ALIVE * LEAST_S, abs=2 * TICK_S)
    assert story.red_s is None


def test_an_idle_process_that_is_stopped_is_red_and_then_given_up() -> None:
    """R19: nobody asks anything."""
    story = Story(costs(), answers=False)
    story.pass_(QUIET_S - 0.5)
    assert (story.verdict, story.red_s is not None) == (None, True)
    story.pass_(1)
    assert story.verdict == "it has been silent for 5 s"


def test_a_resumed_process_is_ready_again() -> None:
    """R19: stopped for less than it takes to give it up."""
    story = Story(costs(), answers=False)
    story.pass_(SILENT_S + 0.2)
    assert story.watch.silent
    story.answers = True
    story.pass_(20)
    assert (story.watch.silent, story.verdict) == (False, None)


def test_the_first_batch_of_a_kind_may_be_as_slow_as_any() -> None:
    """R19: embeddings are loaded when they are first asked for, in every process anew."""
    known = costs()
    known.learn("embedding", TOKENS, 0.01, alone=False)  # by the process before this one
    story = Story(known)
    story.send(1, "embedding")
    story.send(2)
    story.pass_(TIMEOUT_S - 0.5)
    assert story.verdict is None
    story.watch.answered(1, 0.02)
    story.watch.answered(2, 0.01)
    began_s = story.send(3, "embedding")
    story.pass_(TIMEOUT_S)
    assert story.verdict is not None
    assert story.now_s - began_s == pytest.approx(ALIVE * LEAST_S, abs=2 * TICK_S)


def test_nothing_is_known_of_the_first_process_and_the_upper_limit_holds() -> None:
    """R19: as before, ``worker_timeout_s``."""
    story = Story(Costs(), answers=False)
    began_s = story.send()
    story.pass_(30)
    assert story.verdict == "a batch took longer than 15 s"
    assert story.now_s - began_s == pytest.approx(TIMEOUT_S, abs=2 * TICK_S)


def test_a_long_text_after_short_ones_gets_the_time_that_its_length_takes() -> None:
    """R19: only a sixteenth of it was measured, at 50 ms."""
    story = Story(costs(0.05))
    story.send(1, tokens=16 * TOKENS)
    story.pass_(0.05 * 16**1.5 * 2)
    assert story.verdict is None


def test_batches_that_wait_for_each_other_in_the_process_get_the_time_for_all() -> None:
    """R19: an engine may have one lane where the server has eight."""
    story = Story(costs(0.3))
    for number in range(8):
        story.send(number)
    for number in range(7):
        story.pass_(1.9)
        story.watch.answered(number, 0.3)
    assert story.verdict is None


def test_a_machine_that_gets_slower_and_slower_is_not_taken_for_one_that_hangs() -> None:
    """R19: swapping: each batch takes a fifth longer, up to 400 times what it took."""
    story, seconds = Story(costs()), 0.01
    for number in range(33):
        story.send(number)
        story.pass_(seconds, min(seconds, TICK_S))
        story.watch.heard(story.now_s)
        story.watch.answered(number, seconds)
        seconds *= 1.2
    assert story.verdict is None


def test_time_with_the_server_down_counts_against_no_client() -> None:
    """R19: a laptop that slept for an hour with a batch under way."""
    story = Story(costs(), answers=False)
    story.send()
    story.now_s += 3600
    assert story.watch.look(story.now_s) is None
    assert not story.watch.silent
    story.pass_(5)
    assert story.verdict is not None


def test_a_first_answer_after_a_pause_earns_no_credit() -> None:
    """R19: the loop may read its sockets before it looks at its clocks."""
    story = Story(costs(), answers=False)
    story.now_s += 60
    story.watch.heard(story.now_s)
    began_s = story.now_s
    story.pass_(SILENT_S + 2 * TICK_S)
    assert story.red_s is not None
    assert story.red_s - began_s == pytest.approx(SILENT_S, abs=2 * TICK_S)


def test_a_batch_sent_first_after_a_pause_times_out_as_soon_as_any() -> None:
    """R19: as above."""
    story = Story(costs(), answers=False)
    story.now_s += 60
    began_s = story.send()
    story.pass_(TIMEOUT_S)
    assert story.verdict == "a batch took longer than 1.5 s and usually takes about 0.01 s"
    assert story.now_s - began_s == pytest.approx(LEAST_S, abs=2 * TICK_S)


def test_a_batch_that_shares_the_cores_is_not_timed_against_one_that_had_all() -> None:
    """R19: on 64 cores a long text alone takes 0.1 s, and 4 s where every lane has one."""
    known = Costs()
    known.learn("logits", TOKENS, 0.1, alone=True)
    story = Story(known)
    for number in range(64):
        story.send(number)
    story.pass_(4)
    assert story.verdict is None
    for number in range(64):
        story.watch.answered(number, 4.0)
    assert known.expected_s("logits", TOKENS, alone=True) == 0.1
    assert known.expected_s("logits", TOKENS, alone=False) == 4.0


def test_after_a_process_was_ended_the_next_gets_more_time_and_an_hour_later_not() -> None:
    """R19: in case that it was the machine; and never so much that a server with a bad model does not give up."""
    known, took_s = costs(), []
    for _ in range(5):
        story = Story(known, answers=False)
        story.now_s += sum(took_s)
        story.watch = Watch(known, TIMEOUT_S, story.now_s)
        began_s = story.send()
        story.pass_(TIMEOUT_S)
        took_s.append(story.now_s - began_s)
    expected = [LEAST_S * factor for factor in (1, 2, MOST_PATIENCE, MOST_PATIENCE, MOST_PATIENCE)]
    assert took_s == pytest.approx(expected, abs=2 * TICK_S)
    assert sum(took_s) < PATIENCE_HOLDS_S
    assert known.patience(story.now_s + 3600) == 1


def test_one_slow_batch_is_forgotten_after_some_that_are_not() -> None:
    """R19: a pause of a second among batches of 10 ms."""
    known = costs()
    known.learn("logits", TOKENS, 1.0, alone=False)
    assert known.expected_s("logits", TOKENS, alone=False) == pytest.approx(0.505)
    for _ in range(40):
        known.learn("logits", TOKENS, 0.01, alone=False)
    assert known.expected_s("logits", TOKENS, alone=False) == pytest.approx(0.01, abs=0.01)
