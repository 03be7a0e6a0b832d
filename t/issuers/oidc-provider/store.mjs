// SPDX-License-Identifier: Apache-2.0
// Where oidc-provider keeps what it hands out: in memory, all of it until its
// time is over. (Its own store forgets what was not used for a thousand other
// things, among them refresh tokens of which it should know that they are
// used up.)
const rows = new Map();

function live(key) {
	const row = rows.get(key);
	if (row && row.until > Date.now())
		return row.payload;
	rows.delete(key);
	return undefined;
}

function find(model, name, value) {
	for (const [key, { payload }] of rows)
		if (key.startsWith(`${model}:`) && payload[name] === value)
			return live(key);
	return undefined;
}

export class Store {
	constructor(model) {
		this.model = model;
	}

	key(id) {
		return `${this.model}:${id}`;
	}

	async upsert(id, payload, seconds) {
		const until = Date.now() + (seconds ?? 86400) * 1000;
		rows.set(this.key(id), { payload, until });
	}

	async find(id) {
		return live(this.key(id));
	}

	async findByUid(uid) {
		return find(this.model, 'uid', uid);
	}

	async findByUserCode(code) {
		return find(this.model, 'userCode', code);
	}

	async consume(id) {
		const payload = live(this.key(id));
		if (payload)
			payload.consumed = Math.floor(Date.now() / 1000);
	}

	async destroy(id) {
		rows.delete(this.key(id));
	}

	async revokeByGrantId(grant) {
		for (const [key, { payload }] of rows)
			if (key.startsWith(`${this.model}:`)
			    && payload.grantId === grant)
				rows.delete(key);
	}
}

setInterval(() => {
	for (const key of rows.keys())
		live(key);
}, 60000).unref();
