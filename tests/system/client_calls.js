// Each call of OpenWhisk's client for Node.js, against the platform at BRISK_URL with BRISK_AUTH.
// Prints the calls that were made, one a line; the first answer that is not as it should be ends it.
'use strict'

const assert = require('assert').strict
const openwhisk = require('openwhisk')

const apihost = process.env.BRISK_URL
const apiKey = process.env.BRISK_AUTH
const client = openwhisk({ apihost, api_key: apiKey })
const { actions, activations, feeds, namespaces, packages, routes, rules, triggers } = client
const [space] = apiKey.split(':')
const withToken = openwhisk({
  apihost, api_key: apiKey, apigw_token: 'a token', apigw_space_guid: space
})
const named = list => list.map(each => each.name).sort()
const pairs = list => Object.fromEntries(list.map(each => [each.key, each.value]))
const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))
const USER_AGENT = 'openwhisk-client-js'
const DEADLINE_MS = 20000

const ECHO = 'def main(args):\n    print("seen")\n    return args'
const TWICE = 'function main (args) { return { n: args.n * 2 } }'
const FAILS = 'def main(args):\n    return {"error": "refused: " + str(args.get("n"))}'
const FEED = `def main(args):
    if args["lifecycleEvent"] not in ("CREATE", "READ", "UPDATE", "DELETE"):
        return {"error": "no such event"}
    return {key: args.get(key) for key in ("lifecycleEvent", "triggerName", "authKey", "every")}`

// Asks again until *ask* answers something, or a deadline: records are written after the answer.
async function eventually (what, ask) {
  const giveUp = Date.now() + DEADLINE_MS
  for (;;) {
    const found = await ask()
    if (found) return found
    assert.ok(Date.now() < giveUp, `${what} did not come`)
    await sleep(50)
  }
}

const recordOf = id => eventually(`record ${id}`, () =>
  activations.get({ name: id }).catch(error => {
    assert.equal(error.statusCode, 404)
  }))

async function refused (promise, statusCode, text) {
  await assert.rejects(promise, error => {
    assert.equal(error.name, 'OpenWhiskError')
    assert.equal(error.statusCode, statusCode, error.message)
    assert.match(error.message, text)
    return true
  })
}

const CALLS = {
  async 'namespaces.list' () {
    assert.deepEqual(await namespaces.list(), ['guest'])
  },

  async 'actions.create' () {
    const made = await actions.create({
      name: 'echo',
      action: ECHO,
      kind: 'python:default',
      params: { greeting: 'hello' },
      annotations: { why: 'to see' },
      limits: { timeout: 30000, memory: 128 },
      version: '1.2.3'
    })
    assert.equal(made.version, '1.2.3')
    assert.match(made.exec.kind, /^python:3/)
    assert.deepEqual(pairs(made.parameters), { greeting: 'hello' })
    assert.equal(pairs(made.annotations).why, 'to see')
    assert.deepEqual([made.limits.timeout, made.limits.memory], [30000, 128])
    await refused(actions.create({ name: 'echo', action: ECHO }), 409, /resource already exists/)
    await actions.create({ name: 'fails', action: FAILS, kind: 'python:default' })
    const twice = await actions.create({ actionName: 'twice', action: TWICE })
    assert.match(twice.exec.kind, /^nodejs:/)
  },

  async 'actions.create, of a whole document' () {
    const made = await actions.create({
      name: 'whole',
      action: { exec: { kind: 'python:default', code: ECHO }, parameters: [{ key: 'a', value: 1 }] }
    })
    assert.deepEqual(pairs(made.parameters), { a: 1 })
  },

  async 'actions.update' () {
    const made = await actions.update({ name: 'twice', action: TWICE, params: { n: 3 } })
    assert.equal(made.version, '0.0.2')
    const kept = await actions.update({ name: 'twice', params: { n: 21 } })
    assert.equal(kept.version, '0.0.3')
    assert.match(kept.exec.kind, /^nodejs:/)
    await refused(actions.update({ name: 'nothing', params: {} }), 400, /exec/)
  },

  async 'actions.get' () {
    assert.equal((await actions.get('twice')).exec.code, TWICE)
    const bare = await actions.get({ name: 'twice', code: false })
    assert.equal(bare.exec.code, undefined)
    assert.deepEqual(named(await actions.get(['echo', { name: '/_/twice' }])), ['echo', 'twice'])
    await refused(actions.get('nothing'), 404, /does not exist/)
  },

  async 'actions.list' () {
    assert.deepEqual(named(await actions.list()), ['echo', 'fails', 'twice', 'whole'])
    assert.equal((await actions.list({ limit: 1, skip: 1 })).length, 1)
    assert.deepEqual(await actions.list({ count: true }), { actions: 4 })
  },

  async 'actions.invoke' () {
    const { activationId } = await actions.invoke({ name: 'echo', params: { n: 1 } })
    assert.match(activationId, /^[0-9a-f]{32}$/)
    const record = await recordOf(activationId)
    assert.deepEqual(record.response.result, { greeting: 'hello', n: 1 })
    assert.equal((await actions.invoke('echo')).activationId.length, 32)
    const both = await actions.invoke([{ name: 'echo' }, { name: 'twice' }])
    assert.notEqual(both[0].activationId, both[1].activationId)
  },

  async 'actions.invoke, blocking' () {
    const whole = await actions.invoke({ name: 'twice', blocking: true })
    assert.deepEqual(whole.response, {
      result: { n: 42 }, size: 8, status: 'success', success: true
    })
    assert.deepEqual([whole.name, whole.namespace, whole.subject], ['twice', 'guest', 'guest'])
    const [space] = apiKey.split(':')
const withToken = openwhisk({
  apihost, api_key: apiKey, apigw_token: 'a token', apigw_space_guid: space
})
const named = await actions.invoke({ name: '/guest/twice', blocking: true, params: { n: 1 } })
    assert.deepEqual(named.response.result, { n: 2 })
  },

  async 'actions.invoke, for its result' () {
    const params = { text: 'ä€😀', list: [1, null], deep: { er: true } }
    const answer = await actions.invoke({ name: 'echo', blocking: true, result: true, params })
    assert.deepEqual(answer, { greeting: 'hello', ...params })
    const failed = actions.invoke({ name: 'fails', blocking: true, result: true, params: { n: 7 } })
    await refused(failed, 502, /refused: 7/)
    await refused(actions.invoke({ name: 'nothing', blocking: true }), 404, /does not exist/)
  },

  async 'actions.create, of a sequence' () {
    const made = await actions.create({ name: 'line', sequence: ['/_/echo', '/guest/twice'] })
    assert.deepEqual(made.exec.components, ['/guest/echo', '/guest/twice'])
    const answer = await actions.invoke({ name: 'line', blocking: true, params: { n: 4 } })
    assert.deepEqual(answer.response.result, { n: 8 })
    assert.equal(answer.logs.length, 2)
    const parts = await Promise.all(answer.logs.map(recordOf))
    assert.deepEqual(parts.map(each => each.cause), [answer.activationId, answer.activationId])
  },

  async 'packages.create, update' () {
    const body = { publish: true, parameters: [{ key: 'from', value: 'package' }] }
    const made = await packages.create({ name: 'tools', package: body, annotations: { of: 'us' } })
    assert.deepEqual([made.publish, made.version], [true, '0.0.1'])
    assert.deepEqual(pairs(made.annotations), { of: 'us' })
    await refused(packages.create('tools'), 409, /resource already exists/)
    const changed = await packages.update({ packageName: 'tools', package: { publish: false } })
    assert.deepEqual([changed.publish, changed.version], [false, '0.0.2'])
    assert.deepEqual(pairs(changed.parameters), { from: 'package' })
    await actions.create({ name: 'tools/echo', action: ECHO, kind: 'python:default' })
    await actions.create({
      name: 'tools/changes', action: FEED, kind: 'python:default', annotations: { feed: true }
    })
  },

  async 'packages.create, of a binding' () {
    const bound = { binding: { namespace: 'guest', name: 'tools' } }
    const parameters = [{ key: 'from', value: 'binding' }]
    await packages.create({ name: 'mine', package: { ...bound, parameters } })
    const answers = await Promise.all(['tools/echo', '/_/mine/echo'].map(name =>
      actions.invoke({ name, blocking: true, result: true })))
    assert.deepEqual(answers, [{ from: 'package' }, { from: 'binding' }])
    const got = await packages.get('mine')
    assert.deepEqual(got.binding, { namespace: 'guest', name: 'tools' })
    assert.deepEqual([named(got.actions), named(got.feeds)], [['echo'], ['changes']])
  },

  async 'packages.get, list' () {
    const got = await packages.get({ name: '/_/tools' })
    assert.deepEqual([named(got.actions), named(got.feeds)], [['echo'], ['changes']])
    assert.deepEqual(got.binding, {})
    assert.deepEqual(named(await packages.list()), ['mine', 'tools'])
    assert.deepEqual(await packages.list({ count: true }), { packages: 2 })
    assert.equal((await packages.list({ limit: 1, skip: 1 })).length, 1)
    await refused(packages.get('nothing'), 404, /does not exist/)
    assert.throws(() => packages.invoke('tools'))
  },

  async 'triggers.create, update, get, list' () {
    const parameters = [{ key: 'from', value: 'trigger' }]
    const made = await triggers.create({ name: 'tick', trigger: { parameters } })
    assert.deepEqual([made.version, pairs(made.parameters)], ['0.0.1', { from: 'trigger' }])
    await refused(triggers.create({ name: 'tick' }), 409, /resource already exists/)
    const changed = await triggers.update({ triggerName: 'tick', annotations: { of: 'us' } })
    assert.deepEqual([changed.version, pairs(changed.annotations)], ['0.0.2', { of: 'us' }])
    assert.deepEqual(pairs((await triggers.get('tick')).parameters), { from: 'trigger' })
    assert.deepEqual(named(await triggers.list()), ['tick'])
    assert.deepEqual(await triggers.list({ count: true, skip: 0 }), { triggers: 1 })
  },

  async 'rules.create, update, get, list' () {
    const made = await rules.create({ name: 'ticked', trigger: 'tick', action: 'tools/echo' })
    assert.deepEqual(made.action, { path: 'guest/tools', name: 'echo' })
    assert.deepEqual([made.trigger, made.status], [{ path: 'guest', name: 'tick' }, 'active'])
    const changed = await rules.update({
      ruleName: 'ticked', trigger: '/guest/tick', action: '/_/echo'
    })
    assert.deepEqual([changed.version, changed.action.path], ['0.0.2', 'guest'])
    assert.deepEqual((await rules.get('/_/ticked')).action, { path: 'guest', name: 'echo' })
    assert.deepEqual(named(await rules.list()), ['ticked'])
    assert.deepEqual(await rules.list({ count: true }), { rules: 1 })
    await refused(rules.create({ name: 'x', trigger: 'tick', action: 'nothing' }), 400, /nothing/)
    assert.throws(() => rules.invoke('ticked'))
  },

  async 'triggers.invoke' () {
    const { activationId } = await triggers.invoke({ name: 'tick', params: { n: 5 } })
    const [line] = (await recordOf(activationId)).logs
    const started = await recordOf(JSON.parse(line).activationId)
    const { __ow_headers: headers, ...given } = started.response.result
    assert.deepEqual(given, { from: 'trigger', greeting: 'hello', n: 5 })
    assert.deepEqual([headers['user-agent'], headers.authorization], [USER_AGENT, undefined])
    await refused(triggers.invoke('nothing'), 404, /does not exist/)
  },

  async 'rules.disable, enable' () {
    await rules.disable({ name: 'ticked' })
    assert.equal((await rules.get('ticked')).status, 'inactive')
    // Nothing is started by it, so there is no content: 204, which the client gives as it gets it.
    assert.equal((await triggers.invoke({ name: 'tick' })).activationId, undefined)
    await rules.enable({ ruleName: 'ticked' })
    assert.equal((await rules.get('ticked')).status, 'active')
    assert.equal((await triggers.invoke('tick')).activationId.length, 32)
    await refused(rules.enable({ name: 'nothing' }), 404, /does not exist/)
  },

  async 'activations.get, logs, result, list' () {
    const { activationId } = await actions.invoke({ name: 'tools/echo', blocking: true })
    assert.equal((await recordOf(activationId)).activationId, activationId)
    assert.equal((await activations.get(activationId)).name, 'echo')
    const { logs } = await activations.logs({ activation: activationId })
    assert.match(logs[0], / stdout: seen$/)
    const told = await activations.result({ activationId })
    assert.deepEqual([told.result, told.success], [{ from: 'package' }, true])
    const found = await activations.list({ name: 'tools/echo', limit: 5, since: 1 })
    assert.ok(found.some(each => each.activationId === activationId))
    assert.equal(found[0].logs, undefined)
    const [whole] = await activations.list({ limit: 1, skip: 0, docs: true, upto: Date.now() })
    assert.ok(Array.isArray(whole.logs))
    assert.ok((await activations.list({ count: true })).activations > 5)
    await refused(activations.get('0'.repeat(32)), 404, /does not exist/)
  },

  async 'feeds.create, get, update, delete' () {
    const events = { create: 'CREATE', get: 'READ', update: 'UPDATE', delete: 'DELETE' }
    for (const [call, lifecycleEvent] of Object.entries(events)) {
      const answer = await feeds[call]({
        feedName: 'tools/changes', trigger: 'tick', params: { every: 7 }
      })
      const seen = { lifecycleEvent, triggerName: '/_/tick', authKey: apiKey, every: 7 }
      assert.deepEqual(answer.response.result, seen)
    }
    await refused(feeds.create({ name: 'nothing', trigger: 'tick' }), 404, /does not exist/)
  },

  async 'namespaces.get' () {
    const all = await namespaces.get()
    assert.deepEqual(named(all.actions).includes('line'), true)
    assert.deepEqual(named(all.packages), ['mine', 'tools'])
    assert.deepEqual([named(all.triggers), named(all.rules)], [['tick'], ['ticked']])
  },

  async 'routes.create' () {
    const web = { 'web-export': true }
    await actions.create({ name: 'page', action: ECHO, kind: 'python:default', annotations: web })
    const endpoint = { name: 'letters', basepath: '/letters', operation: 'GET', action: 'page' }
    const made = await routes.create({ ...endpoint, relpath: '/echo' })
    assert.equal(made.apidoc.info.title, 'letters')
    const answer = await fetch(`${made.gwApiUrl}/echo?n=7`)
    assert.deepEqual([answer.status, (await answer.json()).n], [200, '7'])
    const more = await withToken.routes.create({ ...endpoint, operation: 'POST', relpath: '/more' })
    assert.deepEqual(Object.keys(more.apidoc.paths), ['/echo', '/more'])
    const swagger = { ...more.apidoc, basePath: '/copy' }
    assert.equal((await routes.create({ swagger })).apidoc.basePath, '/copy')
    await refused(routes.create({ ...endpoint, relpath: 'echo' }), 502, /must begin with/)
  },

  async 'routes.list' () {
    for (const each of [routes, withToken.routes]) {
      const { apis } = await each.list()
      assert.deepEqual(apis.map(api => api.value.apidoc.basePath).sort(), ['/copy', '/letters'])
      assert.equal((await each.list({ limit: 1, skip: 1 })).apis.length, 1)
    }
    assert.equal((await routes.list({ basepath: '/nothing' })).apis.length, 0)
  },

  async 'routes.get' () {
    assert.equal((await routes.get({ basepath: '/letters' })).apis.length, 1)
    assert.equal((await routes.get({ name: 'letters' })).apis.length, 2)
  },

  async 'routes.delete' () {
    await routes.delete({ basepath: '/letters', relpath: '/more', operation: 'POST' })
    const { apis } = await routes.get({ basepath: '/letters' })
    assert.deepEqual(Object.keys(apis[0].value.apidoc.paths), ['/echo'])
    await routes.delete({ basepath: '/letters' })
    await withToken.routes.delete({ basepath: '/copy' })
    await refused(routes.delete({ basepath: '/copy' }), 502, /does not exist/)
    await actions.delete('page')
  },

  async 'the options of a client' () {
    const authorization = `Basic ${Buffer.from(apiKey).toString('base64')}`
    const other = openwhisk({
      api: `${apihost}/api/v1/`,
      auth_handler: { getAuthHeader: () => Promise.resolve(authorization) },
      namespace: 'guest',
      retry: { retries: 1 }
    })
    assert.equal((await other.actions.get('echo')).namespace, 'guest')
    await other.rules.update({ name: 'ticked', trigger: 'tick', action: 'echo' })
    const stranger = openwhisk({ apihost, api_key: apiKey.slice(0, -1) + '_' })
    await refused(stranger.namespaces.list(), 401, /authentication is invalid/)
    await refused(actions.list({ namespace: 'somebody' }), 403, /not authorized/)
  },

  async 'rules.delete' () {
    assert.equal((await rules.delete({ name: 'ticked' })).name, 'ticked')
    await refused(rules.get('ticked'), 404, /does not exist/)
  },

  async 'triggers.delete' () {
    assert.equal((await triggers.delete('tick')).name, 'tick')
    assert.deepEqual(await triggers.list(), [])
  },

  async 'actions.delete' () {
    assert.equal((await actions.delete('line')).exec.kind, 'sequence')
    const gone = ['echo', 'fails', 'twice', 'whole', 'tools/echo', '/_/tools/changes']
    assert.equal((await actions.delete(gone)).length, gone.length)
    assert.deepEqual(await actions.list(), [])
    await refused(actions.delete('echo'), 404, /does not exist/)
  },

  async 'packages.delete' () {
    assert.equal((await packages.delete('mine')).binding.name, 'tools')
    assert.equal((await packages.delete({ name: '/_/tools' })).name, 'tools')
    assert.deepEqual(await packages.list(), [])
  }
}

async function main () {
  for (const [name, call] of Object.entries(CALLS)) {
    try {
      await call()
    } catch (error) {
      throw new Error(`${name}: ${error.stack}`)
    }
    console.log(name)
  }
}

main().catch(error => {
  console.error(error.message)
  process.exitCode = 1
})
