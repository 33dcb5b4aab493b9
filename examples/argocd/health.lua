-- The health of a Deployment in Argo CD, with what Headgate says about its rollout.
-- A Deployment without a rollout gets the health that Argo CD itself gives it. Argo CD runs
-- this without Lua's string library, so the sentences come from the Deployment's status.
local annotations = obj.metadata.annotations or {}
local spec, status = obj.spec or {}, obj.status or {}
local phase, rollout = annotations["headgate.dev/phase"], annotations["headgate.dev/rollout"]

local function condition(kind)
  for _, c in ipairs(status.conditions or {}) do
    if c.type == kind then
      return c
    end
  end
  return {}
end

-- Headgate's condition, unless it is still about an earlier rollout. Its message begins with
-- "rollout 7: "; the comparison is one of a prefix, since ";" comes after ":".
local function about(rollout)
  local c = condition("headgate.dev/Rollout")
  local message = c.message or ""
  if rollout == nil or (message >= "rollout " .. rollout .. ":" and message < "rollout " .. rollout .. ";") then
    return c
  end
  return {}
end

local function health(status, message)
  return {status = status, message = message}
end

local replicas = spec.replicas
if replicas == nil then
  replicas = 1
end
local updated, available = status.updatedReplicas or 0, status.availableReplicas or 0

if phase == "Promoting" then
  local c = about(nil)
  if c.reason == "PromotionStalled" then
    return health("Degraded", c.message)
  end
  return health("Progressing", c.message or "The new version is being promoted")
end
if rollout ~= nil and phase ~= nil and spec.paused then
  local c = about(rollout)
  if phase == "RolledBack" then
    return health("Degraded", c.message or "The new version was rolled back, and the version before serves")
  end
  if available == 0 and replicas > 0 then
    return health("Degraded", "No pod of the stable version is available")
  end
  if phase == "Paused" then
    return health("Suspended", c.message or "The rollout waits for a person")
  end
  if phase == "Pending" and c.status == "False" then -- something has to be put right before it can begin
    return health("Suspended", c.message)
  end
  if phase == "Pending" then
    return health("Progressing", c.message or "A new template is held, and its canary has not begun")
  end
  return health("Progressing", c.message or "A new template is tried as a canary")
end

-- What Argo CD does for every Deployment (gitops-engine, pkg/health/health_deployment.go).
if spec.paused then
  return health("Suspended", "Deployment is paused")
end
if (obj.metadata.generation or 0) > (status.observedGeneration or 0) then
  return health("Progressing", "Waiting for rollout to finish: observed deployment generation less than desired generation")
end
if condition("Progressing").reason == "ProgressDeadlineExceeded" then
  return health("Degraded", "Deployment \"" .. obj.metadata.name .. "\" exceeded its progress deadline")
end
if spec.replicas ~= nil and updated < spec.replicas then
  return health("Progressing",
    "Waiting for rollout to finish: " .. updated .. " out of " .. spec.replicas .. " new replicas have been updated...")
end
if (status.replicas or 0) > updated then
  return health("Progressing",
    "Waiting for rollout to finish: " .. status.replicas - updated .. " old replicas are pending termination...")
end
if available < updated then
  return health("Progressing",
    "Waiting for rollout to finish: " .. available .. " of " .. updated .. " updated replicas are available...")
end
return health("Healthy")
