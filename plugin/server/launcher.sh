#!/bin/sh
# Grafana starts this: find a Node.js and run the datasource's server side with it. Only shell built-ins are used, for the
# environment may be empty and the image may have nothing else.
case $0 in */*) here=${0%/*} ;; *) here=. ;; esac
name=${0##*/}
arch=${name##*_}
program=$here/backend.cjs
runtime=$here/runtime_linux_$arch

# 1. What the administrator says: [plugin.netspectra-datasource] node_path
if [ -n "$GF_PLUGIN_NODE_PATH" ]; then
  if [ -x "$GF_PLUGIN_NODE_PATH" ]; then exec "$GF_PLUGIN_NODE_PATH" "$program" "$@"; fi
  echo "netspectra-datasource: node_path is $GF_PLUGIN_NODE_PATH, which is no program that can be run" >&2
  exit 1
fi

# 2. The runtime of the full archive, with its own loader and libraries.
for node in "$runtime"/node_linux_"$arch"; do
  if [ -x "$node" ]; then
    for loader in "$runtime"/ld_linux_"$arch"; do
      if [ -x "$loader" ]; then exec "$loader" --library-path "$runtime/lib" "$node" "$program" "$@"; fi
    done
    exec "$node" "$program" "$@"
  fi
done

# 3. A Node.js of this machine.
if command -v node >/dev/null 2>&1; then
  major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null)
  if [ "${major:-0}" -ge 20 ]; then exec node "$program" "$@"; fi
  echo "netspectra-datasource: node ${major:-?} is too old, 20 or newer is needed" >&2
  exit 1
fi
echo "netspectra-datasource: no Node.js: install the archive with the runtime for $arch, put node 20 or newer on PATH, or set node_path in [plugin.netspectra-datasource]" >&2
exit 1
