// What the widget says, in the reader's language.

const WORDS = {
  en: {
    messages: "Messages",
    people: (count) => (count === 1 ? "1 here" : `${count} here`),
    peopleLabel: "Who is here",
    you: "you",
    unnamed: "somebody",
    write: "Write a message",
    send: "Send",
    connecting: "Connecting…",
    open: "Connected",
    waiting: "Connection lost, trying again…",
    closed: "Disconnected",
    gap: "Some messages were missed.",
    refused: "That was not sent.",
    tooFast: "Too fast. Please wait a moment.",
    tooLong: "That is too long to send.",
    absent: "The gateway does not answer. Trying again…",
    busy: "The gateway is busy. Trying again…",
    failed: "Something went wrong. This does not work at the moment.",
    badGate: "The address of the gateway is wrong.",
    badToken: "The access token is not valid.",
    expired: "The access has expired.",
    forbidden: "You have no access to this channel.",
    badChannel: "There is no such channel.",
    gone: "You have logged out elsewhere.",
    kicked: "You were sent away.",
    notPostable: "Nobody can write here.",
    unsent: "The gateway does not answer. That was not sent.",
  },
  ja: {
    messages: "メッセージ",
    people: (count) => `${count}人が参加中`,
    peopleLabel: "参加者",
    you: "あなた",
    unnamed: "名前なし",
    write: "メッセージを書く",
    send: "送信",
    connecting: "接続しています…",
    open: "接続しました",
    waiting: "接続が切れました。再接続しています…",
    closed: "切断されました",
    gap: "一部のメッセージを受信できませんでした。",
    refused: "送信できませんでした。",
    tooFast: "送信が速すぎます。少しお待ちください。",
    tooLong: "メッセージが長すぎます。",
    absent: "ゲートウェイが応答しません。再試行しています…",
    busy: "ゲートウェイが混み合っています。再試行しています…",
    failed: "問題が発生しました。現在ご利用になれません。",
    badGate: "ゲートウェイのアドレスが正しくありません。",
    badToken: "アクセストークンが無効です。",
    expired: "アクセスの有効期限が切れました。",
    forbidden: "このチャンネルを利用する権限がありません。",
    badChannel: "このチャンネルは存在しません。",
    gone: "別の場所でログアウトしました。",
    kicked: "退出させられました。",
    notPostable: "ここには書き込めません。",
    unsent: "ゲートウェイが応答しません。送信できませんでした。",
  },
  ko: {
    messages: "메시지",
    people: (count) => `${count}명 참여 중`,
    peopleLabel: "참여자",
    you: "나",
    unnamed: "이름 없음",
    write: "메시지 입력",
    send: "보내기",
    connecting: "연결 중…",
    open: "연결됨",
    waiting: "연결이 끊겼습니다. 다시 연결하는 중…",
    closed: "연결이 종료되었습니다",
    gap: "일부 메시지를 받지 못했습니다.",
    refused: "보내지 못했습니다.",
    tooFast: "너무 빠릅니다. 잠시 기다려 주세요.",
    tooLong: "메시지가 너무 깁니다.",
    absent: "게이트웨이가 응답하지 않습니다. 다시 시도하는 중…",
    busy: "게이트웨이가 혼잡합니다. 다시 시도하는 중…",
    failed: "문제가 발생했습니다. 지금은 사용할 수 없습니다.",
    badGate: "게이트웨이 주소가 올바르지 않습니다.",
    badToken: "액세스 토큰이 올바르지 않습니다.",
    expired: "이용 시간이 만료되었습니다.",
    forbidden: "이 채널을 이용할 권한이 없습니다.",
    badChannel: "존재하지 않는 채널입니다.",
    gone: "다른 곳에서 로그아웃했습니다.",
    kicked: "내보내졌습니다.",
    notPostable: "여기에는 글을 쓸 수 없습니다.",
    unsent: "게이트웨이가 응답하지 않아 보내지 못했습니다.",
  },
  zh: {
    messages: "消息",
    people: (count) => `${count} 人在线`,
    peopleLabel: "在线的人",
    you: "我",
    unnamed: "未命名",
    write: "输入消息",
    send: "发送",
    connecting: "正在连接…",
    open: "已连接",
    waiting: "连接已断开，正在重试…",
    closed: "已断开连接",
    gap: "有些消息未能收到。",
    refused: "未能发送。",
    tooFast: "发送得太快，请稍候。",
    tooLong: "消息太长，无法发送。",
    absent: "网关没有响应，正在重试…",
    busy: "网关繁忙，正在重试…",
    failed: "出现问题，目前无法使用。",
    badGate: "网关地址不正确。",
    badToken: "访问令牌无效。",
    expired: "访问已过期。",
    forbidden: "您无权使用此频道。",
    badChannel: "此频道不存在。",
    gone: "您已在别处退出登录。",
    kicked: "您已被请出。",
    notPostable: "此处不能发言。",
    unsent: "网关没有响应，未能发送。",
  },
};

/** Which of them tell of a failure with this code, whether of a subscription or of something that was written. */
const EXPLAINED = {
  "bad-gateway-address": "badGate",
  unauthorized: "badToken",
  "token-invalid": "badToken",
  "target-too-long": "badToken",
  "headers-too-large": "badToken",
  "token-expired": "expired",
  forbidden: "forbidden",
  "token-required": "forbidden",
  "bad-channel": "badChannel",
  "unknown-channel": "badChannel",
  "not-postable": "notPostable",
  "rate-limited": "tooFast",
  "too-large": "tooLong",
};
/** The same by close code. */
const ENDED = { 4001: "expired", 4002: "gone", 4003: "kicked" };
/** What says that the gateway is there, and has too much to do. */
const BUSY = ["rate-limited", "over-capacity", "draining", "unavailable"];

/** What failed for good, in these words; details are for whoever made the page. */
export function explained(words, { code, closeCode } = {}) {
  const known = Object.hasOwn(EXPLAINED, code) ? EXPLAINED[code] : ENDED[closeCode];
  return words[known ?? "failed"];
}

/** Why something that was written was not sent, in these words. */
export function unsent(words, { code } = {}) {
  if (Object.hasOwn(EXPLAINED, code)) return words[EXPLAINED[code]];
  return /^(?:unreachable$|http-)/.test(code) ? words.unsent : words.refused;
}

/** What is being waited for, in these words: a connection that there was, a gateway that is busy, or any. */
export function awaited(words, { code } = {}, wasOpen) {
  if (BUSY.includes(code)) return words.busy;
  return wasOpen ? words.waiting : words.absent;
}

/** The words for the first of these languages that there are words for; English otherwise. */
export function wordsFor(languages) {
  for (const language of languages) {
    const name = String(language ?? "").toLowerCase().split(/[-_]/)[0];
    if (Object.hasOwn(WORDS, name)) return { language: name, ...WORDS[name] };
  }
  return { language: "en", ...WORDS.en };
}
