/** The browser of the specs: Debian's Chromium. Playwright's own cannot be had everywhere. */
import { existsSync } from 'node:fs';

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Where it is; undefined: there is none. */
export const chromiumPath = places.find((path) => existsSync(path));
