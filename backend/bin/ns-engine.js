#!/usr/bin/env node
import { main } from '../dist/bundle/main.js';

const [node, script, ...rest] = process.argv;
await main([node, script, 'engine', ...rest]);
