package store

// noFollow is nothing on Windows, where making a link needs administrator
// rights or developer mode and no other user writes to %LOCALAPPDATA%.
const noFollow = 0
