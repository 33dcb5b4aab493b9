package reason

// stableServes ends the meaning of every reason of a rollback.
const stableServes = " Rolled back: stable serves all traffic. The new template stays held until you apply another one or give a command."

var whyItEnded = []Explanation{
	row(AnalysisFailed, warning, in(WentBack),
		means("The metrics of the canary broke a condition of `headgate.dev/analysis` more often than `failureLimit` allows. "+
			"Without a `failureLimit` the first Fail is enough."+stableServes),
		look("The message has the numbers and the condition. Every Fail before it is an event, `MeasurementFailed`."),
		showEvents, retryIt, shipRolledBack,
	),
	row(AnalysisLimitExceeded, warning, in(WentBack),
		means("Too many measurements in a row were Inconclusive or Error: more than `inconclusiveLimit` or `errorLimit` allows."+stableServes),
		look("The message has the last answer. Inconclusive: the canary had too few requests, or there is no data. Error: Prometheus does "+
			"not answer or refuses the query. Without these limits Headgate waits instead: docs/analysis.md."),
		showEvents, showAnnotations, retryIt, shipRolledBack,
	),
	row(ProgressDeadlineExceeded, warning, in(WentBack),
		means("What a step waited for did not come within `headgate.dev/progress-deadline` (10m): "+
			"canary pods, a precondition of the weight, or a Job that could not be made."+stableServes),
		look("The message says what was missing and, where Kubernetes tells, why. The canary pods are gone, their events stay for about an "+
			"hour."),
		showCanaryEvents, morePatience, retryIt, shipRolledBack,
	),
	row(RolloutDeadlineExceeded, warning, in(WentBack),
		means("The rollout was not done within `headgate.dev/rollout-deadline`. "+
			"Without that annotation a rollout has a week, plus what its steps wait for."+stableServes),
		look("The message says at which step it was. Usually it is a `pause` step that nobody decided on, a gate that stayed closed, or an "+
			"analysis that never passed."),
		showEvents,
		to("allow more time", annotate+"--overwrite headgate.dev/rollout-deadline=14d"),
		retryIt, shipRolledBack,
	),
	row(JobFailed, warning, in(WentBack),
		means("The Job of a `job` step failed or ran out of time. Or the step has a condition such as `job=NAME >= 0.9`, and the Job "+
			"wrote a number that does not satisfy it, or no number."+stableServes),
		look("The message names the Job, and what it wrote. It stays with its log until the next rollout begins."),
		showJobs, showJobLog, retryIt, shipRolledBack,
	),
	row(CanaryUnavailable, warning, in(WentBack),
		means("For the third time no canary pod was Available while the canary had traffic. "+
			"Twice before, the traffic went back and the steps began again, see `CanaryLost`."+stableServes),
		look("Why the pods ended: they crash under traffic, run out of memory, or their nodes were drained."),
		showCanaryEvents, showEvents, retryIt, shipRolledBack,
	),
	row(CanaryRoutesDeleted, warning, in(WentBack),
		means("Every canary Ingress is gone although the rollout still needs them. Headgate takes that as an abort."+stableServes),
		look("Who deleted it: a person, or a GitOps tool that prunes. Headgate also says this if it was stopped right after it took the "+
			"traffic away for another cause: look at the event before this one."),
		showEvents, showManagerLog, retryIt, shipRolledBack,
	),
	row(CanaryEdited, warning, in(WentBack),
		means("Somebody changed the pod template of the canary Deployment while it was judged: `kubectl set image --all`, or a tool that "+
			"updates images or reloads ConfigMaps. The measurements no longer say anything about the template that would be released."),
		look("Who wrote to the canary Deployment. Exclude objects with the label `app.kubernetes.io/managed-by=headgate` from that tool."),
		to("see who wrote to the canary", inNamespace+"get deployment NAME-canary -o yaml --show-managed-fields"),
		retryIt, shipRolledBack,
	),
	row(AbortedByCommand, normal, in(WentBack),
		means("Somebody gave the command `abort`."+stableServes),
		look("Nothing is wrong with Headgate. The event `CommandTaken` says when it was."),
		showEvents, retryIt, shipRolledBack,
	),
	row(InvalidState, warning, in(WentBack),
		means("Headgate cannot read what it stored about the rollout, so nobody knows which weight the canary has earned. "+
			"All traffic goes to stable. A template that was held stays held. If it was released already, the canary is removed "+
			"and the rolling update goes on."),
		look("The condition `headgate.dev/State` of the Deployment: somebody edited or removed it, or an older Headgate reads what a newer "+
			"one wrote. A canary that was created just now has its state in the annotation `headgate.dev/state`."),
		to("see the state", inNamespace+`get deployment NAME -o jsonpath='{.status.conditions[?(@.type=="headgate.dev/State")].message}'`),
		showManagerLog, retryIt, shipRolledBack,
	),
	row(InvalidAnnotation, warning, in(StaysPending, StaysAtWeight, Idle),
		means("An annotation of the Deployment, or the ConfigMap of its analysis, cannot be used. A new template is held and its rollout "+
			"does not begin. A rollout in the middle keeps its weight and goes no further. If that keeps a weight from coming into "+
			"force, the rollout is rolled back at `headgate.dev/progress-deadline`."),
		look("The message names the annotation, what is wrong there, and an example that is right. If the annotations come from git, "+
			"correct them there."),
		showAnnotations,
		to("correct it, for example the steps", annotate+"--overwrite headgate.dev/steps='10%, 5m, 50%, 5m, 100%, 5m'"),
		to("see the ConfigMaps, if the message names one", inNamespace+"get configmaps"),
		shipBlocked,
	),
	row(Superseded, normal, in(WentBack),
		means("A newer template was applied in the middle of the rollout. The traffic goes to stable, the canary is removed, and the newer "+
			"template begins at the first step."),
		look("Nothing is wrong if somebody applied a new version. If nobody did, two tools write the same template again and again, for "+
			"example a GitOps tool and an injector."),
		showDeployment, showManagers,
	),
	row(StableRestored, normal, in(WentBack, WithoutCanary),
		means("The template is one that runs already, so there is nothing to try out. A canary loses its traffic and is removed, the hold "+
			"ends, and no stable pod restarts."),
		look("This is what a rollback in git looks like. Nothing is wrong."),
		showReplicaSets, showEvents,
	),
	row(WithinRollbackWindow, normal, in(WithoutCanary),
		means("The template was stable not long ago and `headgate.dev/rollback-window` trusts it: it goes out without a canary."),
		look("The message says how many revisions ago it was stable, and the window."),
		showUpdate,
		to("send old versions through the steps again from now on", annotate+"headgate.dev/rollback-window-"),
	),
	row(OptedOut, normal, in(WithoutCanary, WentBack, Idle),
		means("The annotation `headgate.dev/strategy` was removed: Headgate no longer manages this Deployment. A canary loses its traffic "+
			"and is removed. A held template goes out by the rolling update of Kubernetes, and so does every later one. "+
			"`headgate_bypass_total` counts such a template with this reason."),
		look("Whether somebody meant it. `kubectl rollout undo` to a revision from before the opt-in removes the annotation too."),
		showAnnotations, showManagers,
		to("opt in again", annotate+"headgate.dev/strategy=canary"),
	),
	row(HoldRemoved, warning, in(WithoutCanary),
		means("Somebody released the held template while the webhook did not see it. The canary loses its traffic and is removed, and the "+
			"template goes out by the rolling update of Kubernetes, without the rest of its steps."),
		look("Whether the webhook is registered and its pods are ready: while it answers, nobody but Headgate can release a template. Then "+
			"who wrote `spec.paused` or removed `headgate.dev/rollout`."),
		showWebhook, showManagers, showUpdate, undoAtOnce,
	),
	row(Bypassed, warning, in(WithoutCanary),
		means("A template goes out, or went out, without a canary. The message says which of these it is: the webhook did not hold it; the "+
			"strategy is Recreate; there were 0 replicas or no version before it; it came back by scaling up from 0; or somebody gave "+
			"`promote-full` before there was a canary."),
		look("If it was not held: whether the webhook is registered and its pods are ready, and whether `webhook.failurePolicy` is `Ignore` "+
			"or `webhook.namespaceSelector` leaves this namespace out."),
		showWebhook,
		to("see whether Headgate answers", "kubectl -n headgate-system get pods"),
		showUpdate, undoIt,
	),
	row(BypassFound, warning, in(WithoutCanary, Idle),
		means("A template went out without a canary and was out before Headgate looked: the webhook or the manager was away. The message "+
			"has the revision. The condition stays until the next rollout. A restart by `kubectl rollout restart` is not reported, unless "+
			"`headgate.dev/restart` is `canary`."),
		look("Whether the webhook is registered and its pods are ready, and whether `webhook.failurePolicy` is `Ignore` or "+
			"`webhook.namespaceSelector` leaves this namespace out. Headgate compares with what it last recorded in the condition "+
			"`headgate.dev/KnownTemplate`."),
		showWebhook,
		to("see whether Headgate answers", "kubectl -n headgate-system get pods"),
		to("see what is on record", inNamespace+
			`get deployment NAME -o jsonpath='{.status.conditions[?(@.type=="headgate.dev/KnownTemplate")].message}'`),
		showManagers, showUpdate, undoIt,
	),
}
