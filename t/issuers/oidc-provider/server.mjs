// SPDX-License-Identifier: Apache-2.0
// oidc-provider on loopback: node server.mjs MODULES CONFIG, where MODULES is
// the folder that npm filled and CONFIG a file of JSON:
//
//	{ port, issuer, alg: "RS256" or "ES256",
//	  users: { NAME: { email, email_verified, groups } },
//	  clients: [ as oidc-provider has them ],
//	  ttl: { IdToken: 300, ... },		seconds
//	  consent: true,	refresh tokens want prompt=consent
//	  page: true }		asks who signs in, where no login_hint says it
//
// Of a device it always asks.
//
// Refresh tokens rotate at each use; one that is used again ends the session.
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Store } from './store.mjs';

const [, , modules, file] = process.argv;
const config = JSON.parse(readFileSync(file));
const found = createRequire(modules + '/package.json').resolve('oidc-provider');
const { Provider } = await import(pathToFileURL(found));

function key(type, options, more) {
	const { privateKey } = generateKeyPairSync(type, options);
	return { ...privateKey.export({ format: 'jwk' }), use: 'sig', ...more };
}

const scopes = ['openid', 'offline_access', 'email', 'profile', 'groups'];

async function grantOf(ctx) {
	const { client, session, provider } = ctx.oidc;
	const grant = new provider.Grant({ clientId: client.clientId,
	    accountId: session.accountId });
	grant.addOIDCScope(scopes.join(' '));
	await grant.save();
	return grant;
}

const provider = new Provider(config.issuer, {
	adapter: Store,
	clients: config.clients.map((client) => ({
		id_token_signed_response_alg: config.alg, ...client })),
	jwks: { keys: [
	    key('rsa', { modulusLength: 2048 }, { alg: 'RS256', kid: 'rsa' }),
	    key('ec', { namedCurve: 'P-256' }, { alg: 'ES256', kid: 'ec' })] },
	cookies: { keys: [generateKeyPairSync('ec', { namedCurve: 'P-256' })
	    .privateKey.export({ format: 'jwk' }).d] },
	clientAuthMethods: ['client_secret_basic', 'client_secret_post',
	    'private_key_jwt', 'none'],
	scopes,
	claims: { openid: ['sub'], email: ['email', 'email_verified'],
	    profile: ['name'], groups: ['groups'] },
	// Kubernetes reads the id token only: everything is in there.
	conformIdTokenClaims: false,
	// By itself it drops offline_access unless prompt=consent is asked for.
	issueRefreshToken: async (ctx, client, code) =>
	    client.grantTypeAllowed('refresh_token') && (!config.consent
	    || code.scopes.has('offline_access')),
	rotateRefreshToken: () => config.rotate !== false,
	features: {
		devInteractions: { enabled: false },
		deviceFlow: { enabled: true },
		revocation: { enabled: true },
		rpInitiatedLogout: { enabled: true },
	},
	pkce: { required: () => true },
	ttl: { AccessToken: 300, IdToken: 300, RefreshToken: 86400,
	    Session: 86400, Grant: 86400, Interaction: 600,
	    AuthorizationCode: 60, DeviceCode: 600, ...config.ttl },
	interactions: { url: (ctx, i) => `/interaction/${i.uid}` },
	findAccount: async (ctx, id) => config.users[id] && { accountId: id,
	    claims: async () => ({ sub: id, ...config.users[id] }) },
	loadExistingGrant: grantOf,
});
// The TLS is that of the web server in front.
provider.proxy = true;

const failed = (kind) => (ctx, error) => console.log(kind, error.message);
provider.on('server_error', failed('server_error'));
provider.on('grant.error', failed('grant.error'));
provider.on('authorization.error', failed('authorization.error'));

function page(uid, names) {
	const buttons = names.map((name) => '<p><button name="user" '
	    + `value="${name}">Sign in as ${name}</button></p>`).join('');
	return '<!DOCTYPE html><html lang="en"><title>Sign in</title>'
	    + '<h1>Who are you?</h1>'
	    + `<form method="get" action="/interaction/${uid}">${buttons}`
	    + '<p><button name="user" value="-">Cancel</button></p></form>';
}

async function interact(request, response) {
	const { deviceCode, params, uid } = await provider.interactionDetails(
	    request, response);
	const url = new URL(request.url, config.issuer);
	const user = url.searchParams.get('user') ?? params.login_hint;
	if ((config.page || deviceCode) && !user) {
		response.setHeader('Content-Type', 'text/html; charset=utf-8');
		return response.end(page(uid, Object.keys(config.users)));
	}
	const result = user === '-' ? { error: 'access_denied',
	    error_description: 'The person said no' }
	    : { login: { accountId: user || Object.keys(config.users)[0] },
		consent: {} };
	return provider.interactionFinished(request, response, result);
}

const callback = provider.callback();
createServer(async (request, response) => {
	if (!request.url.startsWith('/interaction/'))
		return callback(request, response);
	try {
		await interact(request, response);
	} catch (error) {
		response.statusCode = 400;
		response.end(String(error));
	}
}).listen(config.port, '127.0.0.1', () =>
	console.log('listening on', config.port));
