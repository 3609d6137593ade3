#!/bin/sh
# Grafana starts this: find a Node.js and run the datasource's server side with it. Only shell built-ins are used (but for
# links to this file), for the environment may be empty and the image may have nothing else; nor is there always a /dev/null.
self=$0
while [ -h "$self" ] && target=$(readlink "$self" 2>&-); do
  case $target in
    /*) self=$target ;;
    *) case $self in */*) self=${self%/*}/$target ;; *) self=$target ;; esac ;;
  esac
done
case $self in */*) here=${self%/*} ;; *) here=. ;; esac
arch=${self##*_}
program=$here/backend.cjs
runtime=$here/runtime_linux_$arch

stop() {
  echo "netspectra-datasource: $1" >&2
  exit 1
}

# Stop if a Node.js is too old: it would fail later, and in words that help nobody.
check() {
  major=$("$1" -p 'process.versions.node.split(".")[0]' 2>&-)
  case $major in '' | *[!0-9]*) stop "$1 is no Node.js that runs here" ;; esac
  if [ "$major" -lt 20 ]; then stop "$1 is Node.js $major, 20 or newer is needed"; fi
}

# 1. What the administrator says: [plugin.netspectra-datasource] node_path
node=$GF_PLUGIN_NODE_PATH
if [ -n "$node" ]; then
  if ! [ -f "$node" ] || ! [ -x "$node" ]; then stop "node_path is $node, which is no program that can be run"; fi
  check "$node"
  exec "$node" "$program" "$@"
fi

# 2. The runtime of the full archive, with its own loader and libraries.
loader=$runtime/ld_linux_$arch
if [ -f "$loader" ]; then
  if ! [ -x "$loader" ]; then stop "$loader may not be run: unpack the archive with its modes, or chmod 755 it"; fi
  exec "$loader" --library-path "$runtime/lib" "$runtime/node_linux_$arch" "$program" "$@"
fi

# 3. A Node.js of this machine.
if [ -n "$(command -v node)" ]; then
  check node
  exec node "$program" "$@"
fi
stop "no Node.js: install the archive with the runtime for $arch, put node 20 or newer on PATH, or set node_path in [plugin.netspectra-datasource]"
