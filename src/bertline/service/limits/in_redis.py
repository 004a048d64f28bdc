"""Accounts in Redis: a string per client, changed by an atomic script.

The script is ``buckets.apply_charge`` in Lua. Its numbers are doubles, exact up to 2^53: the largest product, a minute
in microseconds times ``MOST_PER_MINUTE``, is below that. Charges and accounts travel as one string each, because the
client takes as long for a number as for a string: with 64 concurrent requests that saves a third of the cost of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from bertline.service.limits.buckets import DAY_US, MICRO, MINUTE_US, Account, Charge, Refund
from bertline.service.limits.store import TIMEOUT_S, Outage, Outcome

PREFIX = "bertline:limits:"
RETENTION_S = 2 * 86_400  # an older account has no effect

FUNCTIONS = """
local function numbers(words)
  local values = {}
  for word in string.gmatch(words, '%S+') do values[#values + 1] = tonumber(word) end
  return unpack(values)
end
local function format(...)
  return string.format('%.0f %.0f %.0f %.0f %.0f %.0f', ...)
end
"""
CHARGE = f"""{FUNCTIONS}
local outcomes = {{}}
for place, key in ipairs(KEYS) do
  local now, requests, tokens, requests_minute, tokens_minute, requests_day, tokens_day = numbers(ARGV[place])
  local stored = redis.call('GET', key)
  local at, requests_debt, tokens_debt, day, requests_today, tokens_today = now, 0, 0, 0, 0, 0
  if stored then at, requests_debt, tokens_debt, day, requests_today, tokens_today = numbers(stored) end
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
  local before = format(at, requests_debt, tokens_debt, day, requests_today, tokens_today)
  local fits = true
  local function add(used, requested, limit, unit)
    if limit < 0 or requested == 0 then return used end
    fits = fits and used + requested * unit <= limit * unit
    return used + requested * unit
  end
  requests_debt = add(requests_debt, requests, requests_minute, {MICRO})
  tokens_debt = add(tokens_debt, tokens, tokens_minute, {MICRO})
  requests_today = add(requests_today, requests, requests_day, 1)
  tokens_today = add(tokens_today, tokens, tokens_day, 1)
  if fits then
    local after = format(at, requests_debt, tokens_debt, day, requests_today, tokens_today)
    redis.call('SET', key, after, 'EX', {RETENTION_S})
    outcomes[place] = after .. ' 1'
  else
    outcomes[place] = before .. ' 0'
  end
end
return outcomes
"""
REFUND = f"""{FUNCTIONS}
local stored = redis.call('GET', KEYS[1])
if not stored then return end
local charged_day, tokens = numbers(ARGV[1])
local at, requests_debt, tokens_debt, day, requests_today, tokens_today = numbers(stored)
if day ~= charged_day then return end
tokens_today = math.max(0, tokens_today - tokens)
redis.call('SET', KEYS[1], format(at, requests_debt, tokens_debt, day, requests_today, tokens_today), 'KEEPTTL')
"""


class RedisStore:
    """A ``SharedStore`` in Redis or a compatible server; not in a cluster, where one script cannot reach all keys."""

    def __init__(self, url: str) -> None:
        # Without retries, which would multiply the timeout.
        self._redis: Any = Redis.from_url(
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 0)
        )
        self._charge, self._refund = self._redis.register_script(CHARGE), self._redis.register_script(REFUND)

    async def charge(self, charges: Sequence[Charge]) -> list[Outcome]:
        """See ``SharedStore``; one round trip for all charges."""
        keys = [PREFIX + charge.client for charge in charges]
        sent = [" ".join(["-1" if value is None else str(value) for value in charge[1:]]) for charge in charges]
        try:
            received: list[bytes] = await self._charge(keys, sent)
        except (RedisError, OSError) as error:
            raise Outage(type(error).__name__) from None
        outcomes = []
        for one in received:
            *account, granted = map(int, one.split())
            outcomes.append((Account(*account), granted == 1))
        return outcomes

    async def refund(self, refund: Refund) -> None:
        """See ``CounterStore``."""
        try:
            await self._refund([PREFIX + refund.client], [f"{refund.day} {refund.tokens}"])
        except (RedisError, OSError) as error:
            raise Outage(type(error).__name__) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
