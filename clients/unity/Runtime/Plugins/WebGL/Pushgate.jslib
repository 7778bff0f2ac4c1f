// The browser half of Browser/BrowserBridge.cs: WebSockets and requests by number. C# is told of them by
// three callbacks, never before the call that made the number has returned.

var PushgateLibrary = {
  $pushgate: {
    sockets: {},
    last: 0,
    onText: 0,
    onEnd: 0,
    onAnswer: 0,

    // Seconds until a request must be answered.
    patience: 20,

    // Calls `call(pointer, length)` with a text in the memory of the player, as UTF-8.
    withText: function (text, call) {
      var length = lengthBytesUTF8(text);
      var pointer = _malloc(length + 1);
      stringToUTF8(text, pointer, length + 1);
      try {
        call(pointer, length);
      } finally {
        _free(pointer);
      }
    },

    text: function (number, text) {
      pushgate.withText(text, function (pointer, length) {
        {{{ makeDynCall('viii', 'pushgate.onText') }}}(number, pointer, length);
      });
    },

    end: function (number, code, reason) {
      if (!pushgate.sockets[number]) return;
      delete pushgate.sockets[number];
      pushgate.withText(reason, function (pointer, length) {
        {{{ makeDynCall('viiii', 'pushgate.onEnd') }}}(number, code, pointer, length);
      });
    },

    answer: function (number, status, retryAfter, body) {
      pushgate.withText(body, function (pointer, length) {
        {{{ makeDynCall('viiiii', 'pushgate.onAnswer') }}}(number, status, retryAfter, pointer, length);
      });
    },

    // `Retry-After` in whole seconds, -1 where it does not say; RFC 9110 section 10.2.3 allows a date, too.
    seconds: function (header) {
      if (!header) return -1;
      var number = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
      return isFinite(number) ? Math.max(0, Math.ceil(number)) : -1;
    },
  },

  PushgateListen: function (onText, onEnd, onAnswer) {
    pushgate.onText = onText;
    pushgate.onEnd = onEnd;
    pushgate.onAnswer = onAnswer;
  },

  PushgateSocketOpen: function (url, protocol, bearer) {
    var number = ++pushgate.last;
    try {
      var socket = new WebSocket(UTF8ToString(url), [UTF8ToString(protocol), UTF8ToString(bearer)]);
    } catch (error) {
      // As one that a policy of the page forbids.
      pushgate.sockets[number] = {};
      setTimeout(function () {
        pushgate.end(number, 0, String(error));
      }, 0);
      return number;
    }
    pushgate.sockets[number] = socket;
    socket.onmessage = function (event) {
      if (pushgate.sockets[number] && typeof event.data === "string") pushgate.text(number, event.data);
    };
    var isOpen = false;
    socket.onopen = function () {
      isOpen = true;
    };
    // Where it was refused its close tells no more, and on some platforms does not come.
    socket.onerror = function () {
      if (!isOpen) pushgate.end(number, 0, "the connection was refused, or nobody is there");
    };
    // Browsers tell 1005 for a close without a code, and 1006 for one without a close frame.
    socket.onclose = function (event) {
      var isTold = event.code !== 1005 && event.code !== 1006;
      pushgate.end(number, isTold ? event.code : 0, isTold ? event.reason : "the connection was lost");
    };
    return number;
  },

  PushgateSocketSend: function (number, text) {
    var socket = pushgate.sockets[number];
    if (!socket || socket.readyState !== 1) return 0;
    socket.send(UTF8ToString(text));
    return 1;
  },

  PushgateSocketUnsent: function (number) {
    var socket = pushgate.sockets[number];
    return socket && socket.readyState === 1 ? socket.bufferedAmount : -1;
  },

  PushgateSocketClose: function (number, code) {
    var socket = pushgate.sockets[number];
    delete pushgate.sockets[number];
    if (socket && socket.close) socket.close(code);
  },

  PushgateRequest: function (method, url, token, form) {
    var number = ++pushgate.last;
    var abort = new AbortController();
    var timer = setTimeout(function () {
      abort.abort();
    }, pushgate.patience * 1000);
    var request = { method: UTF8ToString(method), headers: {}, cache: "no-store", credentials: "omit", signal: abort.signal };
    var bearer = UTF8ToString(token);
    if (bearer) request.headers.authorization = "Bearer " + bearer;
    if (request.method === "POST") {
      request.headers["content-type"] = "application/x-www-form-urlencoded";
      request.body = UTF8ToString(form);
    }
    fetch(UTF8ToString(url), request)
      .then(function (response) {
        return response.text().then(function (body) {
          return [response.status, pushgate.seconds(response.headers.get("retry-after")), body];
        });
      })
      .catch(function (error) {
        return [0, -1, String(error)];
      })
      .then(function (told) {
        clearTimeout(timer);
        pushgate.answer(number, told[0], told[1], told[2]);
      });
    return number;
  },
};

autoAddDeps(PushgateLibrary, "$pushgate");
mergeInto(LibraryManager.library, PushgateLibrary);
