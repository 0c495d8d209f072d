// Runs before the page is parsed: colours for the first paint, and the stream that will fill it.

import { connect } from "./connection.js";
import { read, streamQuery } from "./state.js";
import { showTheme } from "./theme.js";

showTheme();
globalThis.earlyConnection = connect(streamQuery(read(location)));
