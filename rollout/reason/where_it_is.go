package reason

var whereItIs = []Explanation{
	row(Ready, normal, in(Idle),
		means("Headgate manages this Deployment and nothing is being rolled out. "+
			"The next change of the pod template is held and tried out as a canary."),
		look("Nothing is wrong. If you expected a rollout, compare the pod template with what you applied: the same template starts "+
			"none. `kubectl rollout restart` starts none unless `headgate.dev/restart` is `canary`. If `spec.paused` is true, "+
			"somebody paused the Deployment by hand: a new template is held when that pause ends."),
		showDeployment, showAnnotations,
		to("end a pause by hand", inNamespace+"rollout resume deployment NAME"),
		to("have restarts tried out as a canary too", annotate+"--overwrite headgate.dev/restart=canary"),
	),
	row(CanaryStarting, normal, in(StaysAtWeight),
		means("The canary pods are not all Available yet. The canary keeps the weight it has, which is 0 at the first step, until they are. "+
			"If they are not Available within `headgate.dev/progress-deadline` (10m for each step), the rollout is rolled back."),
		look("The message says how many pods are needed and, where Kubernetes tells, why they do not start: a quota, no node with room, "+
			"an image that cannot be pulled, a container that ends. Without a cause in the message look at the readiness probe."),
		showCanaryPods, showCanary, showCanaryLogs, morePatience, abortIt,
	),
	row(RoutesSettling, normal, in(StaysAtWeight),
		means("The canary pods are Available, and the canary Service and the canary Ingress are made. They carry no traffic yet. "+
			"Where an Ingress gives sessions to its users, this takes 5 seconds, unless the operator set HEADGATE_SETTLE."),
		look("It ends by itself. If it does not, something else writes to the canary Ingress again and again, or the API server refuses "+
			"a write of Headgate, for example by a policy. The log of Headgate has the refusal."),
		showRoutes, showManagerLog, abortIt,
	),
	row(WeightSet, normal, in(StaysAtWeight),
		means("A new weight, header rule or cookie rule was written to the canary Ingress. "+
			"Metrics count from 5 seconds after that, unless the operator set HEADGATE_SETTLE."),
		look("It ends by itself. If it does not, something else writes to the canary Ingress again and again, or the API server refuses "+
			"a write of Headgate. If the weight is right and no request reaches the canary, look at sessions and at the class of "+
			"the Ingress: docs/routing.md."),
		showRoutes, showManagerLog, abortIt,
	),
	row(Waiting, normal, in(StaysAtWeight),
		means("A step of `headgate.dev/steps` waits for a time. The message says until when, in UTC."),
		look("Nothing is wrong. Where `headgate.dev/analysis` is set, the next weight also needs a Pass at this one."),
		endWait, pauseIt, resumeIt, shipNow, abortIt,
	),
	row(AwaitingPromotion, normal, in(StaysAtWeight),
		means("A `pause` step waits for a person. The phase is Paused and the canary keeps its weight."),
		look("The numbers of the canary, then decide. Measurements go on, and a Fail still rolls back. Without a decision the rollout is "+
			"rolled back at `headgate.dev/rollout-deadline`: by default a week after it began, plus what its steps wait for."),
		endWait, abortIt, shipNow, showEvents,
	),
	row(AwaitingVerdict, normal, in(StaysAtWeight),
		means("The rollout goes on only after a measurement that is a Pass, and there is none yet. "+
			"The weight stays as it is. `promote` ends an `analysis` step, but no weight rises without a Pass. "+
			"Without one the rollout is rolled back at `headgate.dev/rollout-deadline`."),
		look("The latest Measurement event. `MeasurementInconclusive`: the canary had too few requests, or there is no data. "+
			"`MeasurementError`: Prometheus does not answer or refuses the query. No event yet: the first measurement comes one interval "+
			"after the weight is in force. Intervals and `minRequests` are in docs/analysis.md."),
		showEvents, shipNow, abortIt,
		to("judge by readiness and time only; refused while headgate.dev/steps has an analysis step", annotate+"headgate.dev/analysis-"),
	),
	row(AwaitingGate, normal, in(StaysAtWeight, StaysPending),
		means("A gate of `headgate.dev/gates` is closed. Headgate asks it again every ten seconds. "+
			"`promote` does not open a gate. `promote-full` passes every gate; before the canary exists it releases the template without one."),
		look("The message says which gate it is and what it answered. A gate that does not answer is closed as well. So is one whose "+
			"address the operator no longer allows: docs/gates.md."),
		showDeployment, shipBlocked,
		to("ask no gate any more", annotate+"headgate.dev/gates-"),
		to("give up once the canary exists", command+"abort"),
	),
	row(UpdateGap, warning, in(StaysAtWeight),
		means("Every step is done, and the template is not released: the strategy of the Deployment lets Kubernetes stop every stable pod "+
			"before a new one is Available. Routers then answer 503 to everybody, whatever weight the canary has. "+
			"The canary keeps its traffic. An event says so when the rollout begins."),
		look("`spec.strategy.rollingUpdate`: with `maxUnavailable: 0` and `maxSurge: 1` there is always a pod that serves."),
		to("have one pod more during an update, and none less", inNamespace+
			`patch deployment NAME -p '{"spec":{"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":0,"maxSurge":1}}}}'`),
		to("release it all the same", command+"promote-full"), abortIt,
	),
	row(JobRunning, normal, in(StaysAtWeight),
		means("A `job` step runs its Job and waits for the result. "+
			"If the Job fails, runs out of time, or writes a number that does not satisfy the condition of the step, the rollout is "+
			"rolled back with `JobFailed`."),
		look("The pods of the Job and their log. The message names the CronJob that the Job is made from."),
		showJobs, showJobLog,
		to("go on without the Job; it is deleted", command+"promote"),
		abortIt,
	),
	row(PausedByCommand, normal, in(StaysAtWeight),
		means("Somebody gave the command `pause`. The phase is Paused and the canary keeps its weight until somebody gives `resume`."),
		look("Measurements go on, and a Fail still rolls back. `headgate.dev/rollout-deadline` goes on too."),
		to("go on", command+"resume"),
		shipNow, abortIt,
	),
	row(Adopting, normal, in(Unfinished),
		means("Every step is done. The pods of the canary become the pods of the Deployment, and no pod starts a second time: "+
			"they get the labels of stable, a ReplicaSet takes them, and the Deployment takes that ReplicaSet. "+
			"Then the old pods go, and the template is released. Commands are refused now."),
		look("It takes a few seconds. Where the last weight is below 100, or the old pods have no preStop hook, the old pods stay until "+
			"routers know the others: 5 seconds, unless the operator set HEADGATE_SETTLE. If it does not end within "+
			"`headgate.dev/progress-deadline` (10m), a rolling update follows: `RollingInstead`."),
		showUpdate, showReplicaSets, undoAtOnce,
	),
	row(Releasing, normal, in(Unfinished),
		means("The template is released: Kubernetes replaces the stable pods by its own rolling update. "+
			"Meanwhile the canary keeps the traffic that it has. Commands are refused now."),
		look("How far the rolling update is. It is slow where new pods are slow to become Available, or where there is no room for the "+
			"pods of stable beside those of the canary."),
		showUpdate, showReplicaSets, undoAtOnce,
	),
	row(PromotionStalled, warning, in(Unfinished),
		means("The rolling update of the stable pods does not finish: Kubernetes reports that it missed `spec.progressDeadlineSeconds`. "+
			"The canary keeps its traffic. Headgate never undoes a released template; it goes on as soon as every pod is Available."),
		look("Why the new stable pods do not become Available: a quota, no node with room, an image, the readiness probe. During this time "+
			"there are pods of stable and of the canary, so the room must be enough for both."),
		showDeployment,
		to("go on without the pods that are missing", command+"promote-full"),
		to("see the pods", inNamespace+"get pods -o wide"),
		to("see why pods do not start", inNamespace+"events --types=Warning"),
		undoAtOnce,
	),
	row(TrafficReturning, normal, in(Unfinished),
		means("Every stable pod is the new version, and the traffic goes back from the canary to stable. "+
			"After that the canary is removed. Commands are refused now."),
		look("If it takes long, stable has fewer pods than the traffic needs, for example because an autoscaler shrank it: the traffic "+
			"returns in portions while stable grows. After `headgate.dev/progress-deadline` (10m) all of it returns: docs/autoscaling.md."),
		showRoutes, showAutoscalers,
		to("give stable more pods, where no autoscaler does", inNamespace+"scale deployment NAME --replicas=4"),
	),
	row(Promoted, normal, in(Idle),
		means("The rollout is done: every pod is the new version. This stays in the condition until the next rollout."),
		look("Nothing is wrong. A template that goes back to the version before is a new rollout, unless `headgate.dev/rollback-window` "+
			"allows it to skip the steps."),
		undoIt,
		to("skip the steps of that undo", command+"promote-full"),
		to("let the last three versions come back at once from now on", annotate+"--overwrite headgate.dev/rollback-window=3"),
	),
	row(PromotedEarly, normal, in(Idle),
		means("A person ended the wait of a promotion with `promote-full` before every pod was the new version and Available. "+
			"The canary is gone, and Kubernetes goes on with the rolling update."),
		look("Why the last pods do not become Available: a quota, no node with room, an image, the readiness probe."),
		showUpdate, showReplicaSets, undoIt,
	),
	row(WriteRefused, warning, in(StaysPending, StaysAtWeight, Unfinished),
		means("The API server refuses a write of Headgate: a quota, an admission webhook or policy, or missing permissions. "+
			"The message has the words of the refuser. Headgate tries again every few seconds. "+
			"After `headgate.dev/progress-deadline` (10m) the rollout is rolled back, unless its template is released already."),
		look("Who refuses it: the message names the object and mostly the policy or the quota. Where the webhook of the ingress "+
			"controller refuses an Ingress, look at its log too. Where a policy requires a label, the operator sets `canary.labels`: "+
			"docs/operating.md."),
		showDeployment, showManagerLog,
		to("see the quotas of the namespace", inNamespace+"describe quota"),
		morePatience, abortIt,
	),
}
