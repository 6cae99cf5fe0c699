"""A reply that is stopped on the page is no longer spoken at the service."""

import asyncio

from loopback import PATIENCE
from scripted_speech import Script, scripted_service

from emotional_ai import AsyncClient, Sampling
from emotional_ai.web.conversation import Conversations, Grown, Outcome


async def test_a_reply_that_is_stopped_ends_at_the_service() -> None:
    script = Script(pause_after=1)
    with scripted_service(script) as target:
        async with AsyncClient(target) as client:
            conversations = Conversations(client)
            conversation = conversations.of(await client.create_session("ada"))
            said = asyncio.Event()
            conversation.join(lambda told: said.set() if isinstance(told, Grown) else None)
            conversation.say("Hello", Sampling())
            async with asyncio.timeout(PATIENCE):
                await said.wait()
            assert await asyncio.to_thread(script.paused.wait, PATIENCE)
            assert not script.cancelled.is_set()
            conversation.stop()
            assert await asyncio.to_thread(script.cancelled.wait, PATIENCE)
            await conversations.close()
            reply = conversation.turns[0].reply
            assert (reply.outcome, reply.text) == (Outcome.STOPPED, "I am ")
