// The page of an API: sends what its forms say, and shows what comes back as text.
'use strict'

const LONGEST = 100000
// The page is at BASE/_docs, whatever stands in front of the platform.
const base = location.href.split(/[?#]/)[0].replace(/\/_docs\/?$/, '')
const key = document.getElementById('key')

function filled (form, place) {
  return [...form.querySelectorAll(`[data-in="${place}"]`)].filter(each => each.value !== '')
}

function address (form) {
  let path = form.dataset.path
  for (const each of form.querySelectorAll('[data-in="path"]')) {
    path = path.replaceAll(`{${each.name}}`, encodeURIComponent(each.value))
  }
  const query = new URLSearchParams(filled(form, 'query').map(each => [each.name, each.value]))
  const text = query.toString()
  return base + path + (text && '?' + text)
}

function asked (form) {
  const headers = {}
  for (const each of filled(form, 'header')) headers[each.name] = each.value
  if (key && key.value) headers[key.name] = key.value
  const [body] = filled(form, 'body')
  if (body) headers['Content-Type'] = body.dataset.type
  return { method: form.dataset.verb, headers, body: body && body.value, redirect: 'manual' }
}

async function call (form) {
  const shown = form.querySelector('output')
  shown.replaceChildren()
  const pre = document.createElement('pre')
  shown.append(pre)
  const began = performance.now()
  try {
    const answer = await fetch(address(form), asked(form))
    const text = await answer.text()
    const took = Math.round(performance.now() - began)
    const headers = [...answer.headers].map(pair => pair.join(': ')).join('\n')
    const cut = text.length > LONGEST ? text.slice(0, LONGEST) + '\n…' : text
    const status = answer.type === 'opaqueredirect' ? 'a redirect' : `${answer.status} ${answer.statusText}`
    pre.textContent = `${status} · ${took} ms\n${headers}\n\n${cut}`
  } catch (error) {
    pre.textContent = `There was no answer: ${error.message}`
  }
}

document.body.classList.remove('without-script')
for (const form of document.forms) {
  form.addEventListener('submit', event => {
    event.preventDefault()
    call(form)
  })
}
