-- Tells Yestermail which mailboxes have changed: one line for each, appended to a spool file when a change is complete.
--
--     m USER MAILBOX     messages came, went, or have other flags
--     f USER             folders came, went, were renamed or (un)subscribed
--
-- USER and MAILBOX (in Dovecot's own UTF-8 spelling) are percent-encoded: a line has no other blanks, whatever a mailbox is called. The lines are hints: they
-- say where to look, never what is there. A spool that cannot be written changes nothing for the mail server and its users.
--
-- The spool is the setting `yestermail_spool` of the `plugin` section. Tested with Dovecot 2.3.19; see README.md beside this file.

local default_spool = "/var/spool/yestermail/dovecot"

local function encoded(text)
  return (tostring(text):gsub("[^%w@._/+=-]", function(c) return string.format("%%%02X", string.byte(c)) end))
end

function dovecot_lua_notify_begin_txn(user)
  local found, spool = pcall(function() return user:plugin_getenv("yestermail_spool") end)
  return { user = encoded(user.username), spool = found and spool or default_spool, lines = {}, known = {} }
end

local function add(ctx, line)
  if not ctx.known[line] then
    ctx.known[line] = true
    ctx.lines[#ctx.lines + 1] = line
  end
end

local function messages(ctx, event) add(ctx, "m " .. ctx.user .. " " .. encoded(event.mailbox) .. "\n") end
local function folders(ctx, event) add(ctx, "f " .. ctx.user .. "\n") end

for _, name in ipairs({ "message_new", "message_append", "message_expunge", "message_read", "message_trash",
  "flags_set", "flags_clear" }) do
  _G["dovecot_lua_notify_event_" .. name] = messages
end
for _, name in ipairs({ "mailbox_create", "mailbox_delete", "mailbox_rename", "mailbox_subscribe",
  "mailbox_unsubscribe" }) do
  _G["dovecot_lua_notify_event_" .. name] = folders
end

-- One write for a transaction, so that the lines of two processes do not mix.
function dovecot_lua_notify_end_txn(ctx)
  if #ctx.lines == 0 then return end
  local spool = io.open(ctx.spool, "a")
  if spool == nil then return end
  local text = table.concat(ctx.lines)
  spool:setvbuf("full", #text + 1)
  spool:write(text)
  spool:close()
end
