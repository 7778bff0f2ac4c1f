// The client of pushgate: `new Pushgate("https://push.example.org")`.

import { Pushgate, useHome } from "./client.js";
import { Channel } from "./channel.js";
import { PushgateError } from "./errors.js";

useHome(import.meta.url);

export { Channel, Pushgate, PushgateError };
