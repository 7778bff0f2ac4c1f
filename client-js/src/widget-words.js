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
  },
};

/** The words for the first of these languages that there are words for; English otherwise. */
export function wordsFor(languages) {
  for (const language of languages) {
    const name = String(language ?? "").toLowerCase().split(/[-_]/)[0];
    if (Object.hasOwn(WORDS, name)) return { language: name, ...WORDS[name] };
  }
  return { language: "en", ...WORDS.en };
}
