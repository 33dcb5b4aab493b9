-- Which of Headgate's buttons a Deployment has, and which of them make sense now. A
-- Deployment without a rollout keeps Argo CD's own pause, resume and restart.
local annotations = obj.metadata.annotations or {}
local phase, rollout = annotations["headgate.dev/phase"], annotations["headgate.dev/rollout"]
if annotations["headgate.dev/strategy"] == nil then
  return {}
end

local held = rollout ~= nil and obj.spec.paused == true
local running = held and (phase == "Progressing" or phase == "Paused")
local byCommand = false
for _, c in ipairs((obj.status or {}).conditions or {}) do
  if c.type == "headgate.dev/Rollout" and c.reason == "PausedByCommand" then
    byCommand = true
  end
end

local actions = {
  ["promote"] = {["displayName"] = "Promote to the next step", ["iconClass"] = "fa fa-fw fa-step-forward",
    ["disabled"] = not running},
  ["promote-full"] = {["displayName"] = "Promote fully", ["iconClass"] = "fa fa-fw fa-fast-forward",
    ["disabled"] = not running},
  ["abort"] = {["displayName"] = "Abort the rollout", ["iconClass"] = "fa fa-fw fa-undo",
    ["disabled"] = not (running or held and phase == "Pending")},
  ["retry"] = {["displayName"] = "Retry the rollout", ["iconClass"] = "fa fa-fw fa-redo",
    ["disabled"] = not (held and phase == "RolledBack")},
}
if held then
  actions["pause"] = {["iconClass"] = "fa fa-fw fa-pause-circle", ["disabled"] = phase ~= "Progressing"}
  actions["resume"] = {["iconClass"] = "fa fa-fw fa-play-circle", ["disabled"] = not (phase == "Paused" and byCommand)}
  actions["restart"] = {["iconClass"] = "fa fa-fw fa-redo", ["disabled"] = true}
end
return actions
