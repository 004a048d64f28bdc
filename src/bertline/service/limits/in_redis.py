"""Accounts in Redis: a string per client, changed by a script that runs there as a whole. The only file with redis.

The script is ``buckets.charged`` in Lua. Its numbers are doubles, exact up to 2^53: the largest product, a minute in
microseconds times ``MOST_PER_MINUTE``, is below that. A charge goes there as one string and an account comes back as
one, because the client takes as long for a number as for a string: with 64 requests at a time that takes a third off
the cost of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from bertline.service.limits.buckets import DAY_US, MICRO, MINUTE_US, Account, Charge, Return
from bertline.service.limits.store import TIMEOUT_S, Outage, Outcome

PREFIX = "bertline:limits:"
KEPT_S = 2 * 86_400  # after its last charge an account holds nothing that matters

FUNCTIONS = """
local function numbers(words)
  local found = {}
  for word in string.gmatch(words, '%S+') do found[#found + 1] = tonumber(word) end
  return unpack(found)
end
local function written(...)
  return string.format('%.0f %.0f %.0f %.0f %.0f %.0f', ...)
end
"""
CHARGE = f"""{FUNCTIONS}
local outcomes = {{}}
for place, key in ipairs(KEYS) do
  local now, requests, tokens, requests_minute, tokens_minute, requests_day, tokens_day = numbers(ARGV[place])
  local kept = redis.call('GET', key)
  local at, requests_debt, tokens_debt, day, requests_today, tokens_today = now, 0, 0, 0, 0, 0
  if kept then at, requests_debt, tokens_debt, day, requests_today, tokens_today = numbers(kept) end
  local elapsed = math.max(0, now - at)
  local minute = math.min(elapsed, {MINUTE_US})
  at = at + elapsed
  if requests_minute >= 0 then
    requests_debt = math.max(0, requests_debt - math.floor(minute * requests_minute / 60))
  end
  if tokens_minute >= 0 then
    tokens_debt = math.max(0, tokens_debt - math.floor(minute * tokens_minute / 60))
  end
  local today = math.floor(at / {DAY_US})
  if today > day then day, requests_today, tokens_today = today, 0, 0 end
  local before = written(at, requests_debt, tokens_debt, day, requests_today, tokens_today)
  local fits = true
  local function ask(used, asked, limit, unit)
    if limit < 0 or asked == 0 then return used end
    fits = fits and used + asked * unit <= limit * unit
    return used + asked * unit
  end
  requests_debt = ask(requests_debt, requests, requests_minute, {MICRO})
  tokens_debt = ask(tokens_debt, tokens, tokens_minute, {MICRO})
  requests_today = ask(requests_today, requests, requests_day, 1)
  tokens_today = ask(tokens_today, tokens, tokens_day, 1)
  if fits then
    local after = written(at, requests_debt, tokens_debt, day, requests_today, tokens_today)
    redis.call('SET', key, after, 'EX', {KEPT_S})
    outcomes[place] = after .. ' 1'
  else
    outcomes[place] = before .. ' 0'
  end
end
return outcomes
"""
GIVE_BACK = f"""{FUNCTIONS}
local kept = redis.call('GET', KEYS[1])
if not kept then return end
local charged_day, tokens = numbers(ARGV[1])
local at, requests_debt, tokens_debt, day, requests_today, tokens_today = numbers(kept)
if day ~= charged_day then return end
tokens_today = math.max(0, tokens_today - tokens)
redis.call('SET', KEYS[1], written(at, requests_debt, tokens_debt, day, requests_today, tokens_today), 'KEEPTTL')
"""


class InRedis:
    """A ``SharedStore`` in one Redis, or in what speaks its protocol; not in a cluster, where keys live apart."""

    def __init__(self, url: str) -> None:
        # Without retries: a time limit that is waited for four times is another time limit.
        self._redis: Any = Redis.from_url(
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 0)
        )
        self._charge, self._give_back = self._redis.register_script(CHARGE), self._redis.register_script(GIVE_BACK)

    async def charge(self, charges: Sequence[Charge]) -> list[Outcome]:
        """One round trip for all of them."""
        keys = [PREFIX + charge.client for charge in charges]
        asked = [" ".join(["-1" if value is None else str(value) for value in charge[1:]]) for charge in charges]
        try:
            found: list[bytes] = await self._charge(keys, asked)
        except (RedisError, OSError) as error:
            raise Outage(type(error).__name__) from None
        outcomes = []
        for one in found:
            *account, granted = map(int, one.split())
            outcomes.append((Account(*account), granted == 1))
        return outcomes

    async def give_back(self, giving: Return) -> None:
        """See ``Store``."""
        try:
            await self._give_back([PREFIX + giving.client], [f"{giving.day} {giving.tokens}"])
        except (RedisError, OSError) as error:
            raise Outage(type(error).__name__) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
