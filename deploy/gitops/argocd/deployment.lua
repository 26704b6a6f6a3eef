-- Health of a Deployment for Argo CD, in place of the built-in rule, which calls every paused Deployment Suspended. One that
-- Sluice holds is Suspended too, while its template is not what runs: the Rollout beside it says how the run goes. One
-- that is paused at rest (hold: Always) and runs its template is as healthy as any. All others: as Argo CD has it.
local hs = {}
local spec, status = obj.spec or {}, obj.status or {}
local labels = obj.metadata.labels or {}
local annotations = obj.metadata.annotations or {}
local rollout = labels["sluice.dev/managed"]
local replicas = spec.replicas or 1
local updated, available = status.updatedReplicas or 0, status.availableReplicas or 0
local observed = (status.observedGeneration or 0) >= (obj.metadata.generation or 0)

if spec.paused then
  if rollout ~= nil and observed and updated == replicas and available >= updated then
    hs.status = "Healthy"
    hs.message = "runs its template; paused by Sluice until it changes"
    return hs
  end
  hs.status = "Suspended"
  if rollout == nil then
    hs.message = "Deployment is paused"
    return hs
  end
  hs.message = "held by Sluice, see Rollout " .. rollout
  if (annotations["sluice.dev/held"] or "") ~= "" then
    hs.message = hs.message .. " and RolloutRun " .. annotations["sluice.dev/held"]
  end
  return hs
end

if not observed then
  hs.status = "Progressing"
  hs.message = "the change was not looked at yet"
  return hs
end
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Progressing" and condition.reason == "ProgressDeadlineExceeded" then
    hs.status = "Degraded"
    hs.message = "Deployment exceeded its progress deadline"
    return hs
  end
end
hs.status = "Progressing"
if updated < replicas then
  hs.message = updated .. " of " .. replicas .. " new replicas have been updated"
elseif (status.replicas or 0) > updated then
  hs.message = ((status.replicas or 0) - updated) .. " old replicas are being removed"
elseif available < updated then
  hs.message = available .. " of " .. updated .. " updated replicas are available"
else
  hs.status = "Healthy"
  hs.message = "all replicas are updated and available"
end
return hs
