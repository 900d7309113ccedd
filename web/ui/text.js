/** What the page says, in the languages that it speaks. */

import { FILE } from "../yanshu.js";

const TEXTS = {
  en: {
    product: "Yanshu",
    signIn: "Sign in",
    signInHint: "This server is open: any ID that you choose is yours.",
    signInHintToken: "This server asks for a token. You get one from whoever runs it.",
    userId: "Your ID",
    token: "Token",
    badUserId: "1 to 64 of these: A–Z a–z 0–9 _ - . @",
    conversations: "Conversations",
    settings: "Settings",
    find: "Find, or write to an ID",
    start: "Write to {id}",
    back: "Back to the conversations",
    older: "Earlier messages",
    beginning: "This is the beginning.",
    messages: "Messages",
    newest: "To the newest message",
    write: "Write a message",
    send: "Send",
    choose: "Choose a conversation.",
    language: "Language",
    theme: "Colours",
    asBrowser: "As the browser",
    light: "Light",
    dark: "Dark",
    notify: "Allow notifications",
    notifyOn: "Notifications are on",
    notifyOff: "Notifications are blocked in the browser",
    signOut: "Sign out",
    close: "Close",
    connection: "Connection",
    connecting: "Connecting…",
    waiting: "No connection.",
    nextAttempt: "Next attempt in {seconds} s.",
    tryNow: "Try now",
    stopped: "Disconnected.",
    replaced: "Signed in on too many devices: this one was the oldest.",
    tokenRefused: "The token is wrong or has expired. Sign in again.",
    comeBack: "Connect",
    sending: "Sending",
    stored: "Sent",
    read: "Read",
    failed: "Not sent",
    retry: "Send again",
    discard: "Discard",
    unread: "{count} unread",
    you: "You",
    tooLong: "Too long for one message.",
    noIdLeft: "No more can be written before there is a connection.",
    notKept: "The browser could not keep the message: {why}",
    unreachable: "The server does not answer; trying again.",
    attach: "Send files",
    drop: "Drop files here to send them to {name}.",
    fileTooLarge: "“{name}” is too large: a file may have {most} at most.",
    fileUnreadable: "“{name}” cannot be read. Folders cannot be sent.",
    fileAdded: "“{name}” is on its way.",
    upload: "Upload of {name}",
    waits: "Waiting",
    cancel: "Cancel",
    cancelUpload: "Cancel the upload of {name}",
    cancelDownload: "Cancel the download of {name}",
    picture: "Picture",
    download: "Download",
    downloadOf: "Download {name}",
    downloading: "Download of {name}",
    loading: "Loading…",
    noFile: "This file is no longer there.",
    fileForbidden: "The recipient does not take messages from you, or the file is no longer there.",
    notFetched: "The file could not be fetched.",
    notShown: "This picture cannot be shown.",
    yourself: "{name} (you)",
    today: "Today",
    yesterday: "Yesterday",
    refused: {
      forbidden: "The recipient does not take messages from you.",
      unknown_user: "There is no such user.",
      too_large: "The message is too long.",
      id_not_granted: "The message's ID had lapsed.",
      id_conflict: "The message's ID was taken.",
    },
    refusedUpload: {
      forbidden: "You may not upload files here.",
      too_large: "The file is larger than the server takes.",
      quota_exceeded: "Your space for files is used up.",
      unreadable: "The file cannot be read any more.",
      broken: "The upload broke off again and again.",
      storage_full: "The server has no room for files.",
      files_off: "The server takes no files.",
    },
  },
  zh: {
    product: "雁书",
    signIn: "登录",
    signInHint: "此服务器是开放的：任选一个 ID 即可使用。",
    signInHintToken: "此服务器需要令牌，请向管理员索取。",
    userId: "您的 ID",
    token: "令牌",
    badUserId: "1 到 64 个字符：A–Z a–z 0–9 _ - . @",
    conversations: "会话",
    settings: "设置",
    find: "搜索，或输入 ID 发起会话",
    start: "发消息给 {id}",
    back: "返回会话列表",
    older: "更早的消息",
    beginning: "会话从这里开始。",
    messages: "消息",
    newest: "回到最新消息",
    write: "输入消息",
    send: "发送",
    choose: "请选择一个会话。",
    language: "语言",
    theme: "外观",
    asBrowser: "跟随浏览器",
    light: "浅色",
    dark: "深色",
    notify: "允许桌面通知",
    notifyOn: "桌面通知已开启",
    notifyOff: "浏览器已禁止通知",
    signOut: "退出登录",
    close: "关闭",
    connection: "连接",
    connecting: "正在连接…",
    waiting: "连接已断开。",
    nextAttempt: "{seconds} 秒后重试。",
    tryNow: "立即重试",
    stopped: "已断开连接。",
    replaced: "登录的设备过多，最早登录的本设备已下线。",
    tokenRefused: "令牌错误或已过期，请重新登录。",
    comeBack: "连接",
    sending: "发送中",
    stored: "已发送",
    read: "已读",
    failed: "未发送",
    retry: "重新发送",
    discard: "丢弃",
    unread: "{count} 条未读",
    you: "我",
    tooLong: "对一条消息来说太长了。",
    noIdLeft: "恢复连接之前不能再写新消息。",
    notKept: "浏览器无法保存这条消息：{why}",
    unreachable: "服务器没有响应，正在重试。",
    attach: "发送文件",
    drop: "将文件拖放到此处，发送给 {name}。",
    fileTooLarge: "“{name}”过大：单个文件不能超过 {most}。",
    fileUnreadable: "无法读取“{name}”。不能发送文件夹。",
    fileAdded: "正在发送“{name}”。",
    upload: "正在上传 {name}",
    waits: "等待上传",
    cancel: "取消",
    cancelUpload: "取消上传 {name}",
    cancelDownload: "取消下载 {name}",
    picture: "图片",
    download: "下载",
    downloadOf: "下载 {name}",
    downloading: "正在下载 {name}",
    loading: "正在加载…",
    noFile: "该文件已不存在。",
    fileForbidden: "对方不接收您的消息，或者该文件已不存在。",
    notFetched: "未能获取该文件。",
    notShown: "无法显示这张图片。",
    yourself: "{name}（自己）",
    today: "今天",
    yesterday: "昨天",
    refused: {
      forbidden: "对方不接收您的消息。",
      unknown_user: "没有这个用户。",
      too_large: "消息过长。",
      id_not_granted: "消息 ID 已失效。",
      id_conflict: "消息 ID 已被占用。",
    },
    refusedUpload: {
      forbidden: "您不能在此上传文件。",
      too_large: "文件超过服务器允许的大小。",
      quota_exceeded: "您的文件空间已用完。",
      unreadable: "已无法读取该文件。",
      broken: "上传多次中断。",
      storage_full: "服务器的文件空间已满。",
      files_off: "服务器不接收文件。",
    },
  },
};

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"];

let language = "en";
/** Making one takes long: they are kept, by language and form. */
const formats = new Map();

function format(form, value, Format = Intl.DateTimeFormat) {
  const key = `${language} ${JSON.stringify(form)}`;
  if (!formats.has(key)) formats.set(key, new Format(language, form));
  return formats.get(key).format(value);
}

/** Speaks the chosen language, or the first of the browser's that the page speaks. */
export function speak(chosen) {
  const wanted = chosen ? [chosen] : navigator.languages;
  const short = wanted.map((tag) => tag.slice(0, 2).toLowerCase());
  language = short.find((tag) => tag in TEXTS) ?? "en";
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = text(element.dataset.text);
  }
  for (const element of document.querySelectorAll("[data-label]")) {
    element.ariaLabel = text(element.dataset.label);
    if (element.matches("button.icon, .newest")) element.title = element.ariaLabel;
  }
  for (const element of document.querySelectorAll("[data-placeholder]")) {
    element.placeholder = text(element.dataset.placeholder);
  }
}

/** A text, with `{name}` replaced by a value. */
export function text(key, values = {}) {
  return TEXTS[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Why the server refused a message, or a file that was to become one. */
export function whyRefused({ error, type, waiting }) {
  const { refused, refusedUpload } = TEXTS[language];
  if (type === FILE && !waiting && error.code === "forbidden") return text("fileForbidden");
  return (waiting ? refusedUpload : refused)[error.code] ?? error.message;
}

/** Why a file was not fetched. */
export function whyNotFetched({ status }) {
  if (status === 401) return text("tokenRefused");
  return text(status === 404 ? "noFile" : "notFetched");
}

/** How large a file is. */
export function size(bytes) {
  const power = bytes < 1024 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length - 1);
  const unitDisplay = power === 0 ? "long" : "short";
  const form = { style: "unit", unit: UNITS[power], unitDisplay, maximumFractionDigits: 1 };
  return format(form, bytes / 1024 ** power, Intl.NumberFormat);
}

/** A part of a whole. */
export function percent(part) {
  return format({ style: "percent" }, part, Intl.NumberFormat);
}

/** The moment of a message: its `time` is UTC as this client and the server write it. */
export function moment(time) {
  return new Date(`${time.replace(" ", "T")}Z`);
}

/** The time of day. */
export function clock(time) {
  return format({ hour: "2-digit", minute: "2-digit" }, moment(time));
}

/** The day, in words for the last two. */
export function day(time) {
  const at = moment(time);
  const isDaysAgo = (days) => {
    const then = new Date();
    then.setDate(then.getDate() - days);
    return then.toDateString() === at.toDateString();
  };
  if (isDaysAgo(0)) return text("today");
  if (isDaysAgo(1)) return text("yesterday");
  return format({ dateStyle: "long" }, at);
}

/** The time of day where it was today, else the date: for lists. */
export function when(time) {
  const at = moment(time);
  const isToday = new Date().toDateString() === at.toDateString();
  return isToday ? clock(time) : format({ dateStyle: "short" }, at);
}
