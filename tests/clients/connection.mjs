// A connection to the bridge by either line of the official TypeScript client, over either transport.
//
//   handshake       @modelcontextprotocol/sdk, versions of the protocol up to 2025-11-25
//   self-contained  @modelcontextprotocol/client, 2026-07-28

import { Client as NewClient, StreamableHTTPClientTransport as NewHttp } from '@modelcontextprotocol/client';
import { StdioClientTransport as NewStdio } from '@modelcontextprotocol/client/stdio';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';

const WHO = { name: 'typescript', version: '1' };

/** A connection of an era, "handshake" or "self-contained", to a url or to a command and its arguments. */
export async function connected(era, where) {
  return era === 'handshake' ? shakenHands(where) : selfContained(where);
}

async function shakenHands(where) {
  const client = new Client(WHO);
  const transport = isUrl(where)
    ? new StreamableHTTPClientTransport(new URL(where[0]))
    : new StdioClientTransport(command(where));
  let version;
  const agreed = transport.setProtocolVersion?.bind(transport);
  // The transport alone is told the version that was agreed on.
  transport.setProtocolVersion = (spoken) => {
    version = spoken;
    agreed?.(spoken);
  };
  await client.connect(transport);
  return {
    client,
    version,
    onUpdated: (told) => client.setNotificationHandler(ResourceUpdatedNotificationSchema, told),
    call: (params, options) => client.callTool(params, undefined, options),
    subscribed: async (uri) => {
      await client.subscribeResource({ uri });
      return () => client.unsubscribeResource({ uri });
    },
  };
}

async function selfContained(where) {
  const client = new NewClient(WHO, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
  await client.connect(isUrl(where) ? new NewHttp(new URL(where[0])) : new NewStdio(command(where)));
  return {
    client,
    version: client.getNegotiatedProtocolVersion(),
    onUpdated: (told) => client.setNotificationHandler('notifications/resources/updated', told),
    call: (params, options) => client.callTool(params, options),
    subscribed: async (uri) => {
      const subscription = await client.listen({ resourceSubscriptions: [uri] });
      return () => subscription.close();
    },
  };
}

function isUrl(where) {
  return where[0].startsWith('http:');
}

function command([program, ...args]) {
  return { command: program, args };
}
