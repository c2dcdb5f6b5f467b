// Kubernetes' own idea of an object, for manifests_test.cpp: a list of objects in JSON on standard input, one line for each
// thing wrong with one of them on standard output. The schemas are those of the API and of the Prometheus operator, compiled
// by the kubernetes-models packages (package.json beside this file, installed into the directory given as argument).
//
// The API's schemas allow any property; a misspelt one is dropped by a server without a word. So the object is shown to
// the schema through a proxy, and a property nobody asked for is one that the schema does not know.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { join } from "node:path";

const modules = process.argv[2];
const load = (name) => import(pathToFileURL(join(modules, "node_modules", `${name}.js`)).href);

// apiVersion and kind to the module of its schema.
function schema(apiVersion, kind) {
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
  if (group === "monitoring.coreos.com") return `@kubernetes-models/prometheus-operator/${group}/${version}/${kind}`;
  return `kubernetes-models/${group ? group + "/" : ""}${version}/${kind}`;
}

// What was looked at: paths of the properties that were read.
function watched(value, path, seen) {
  if (value === null || typeof value !== "object") return value;
  return new Proxy(value, {
    get(target, key) {
      if (typeof key !== "string" || !Object.hasOwn(target, key)) return Reflect.get(target, key);
      seen.add(`${path}/${key}`);
      return watched(target[key], `${path}/${key}`, seen);
    },
  });
}

function* unseen(value, path, seen) {
  if (value === null || typeof value !== "object") return;
  for (const [key, inner] of Object.entries(value)) {
    if (!seen.has(`${path}/${key}`)) yield `${path}/${key}`;
    else yield* unseen(inner, `${path}/${key}`, seen);
  }
}

for (const object of JSON.parse(readFileSync(0, "utf8"))) {
  const called = `${object.kind} ${object.metadata?.name}`;
  let model;
  try {
    model = (await load(schema(object.apiVersion, object.kind)))[object.kind];
  } catch (error) {
    console.log(`${called}: no schema for ${object.apiVersion} ${object.kind} (${error.message})`);
    continue;
  }
  const seen = new Set();
  try {
    model.prototype.validate.call(watched(object, "", seen));
  } catch (error) {
    console.log(`${called}: ${error.message}`);
  }
  for (const path of unseen(object, "", seen)) console.log(`${called}: ${path} is no property of ${object.kind}`);
}
