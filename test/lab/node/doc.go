// Package node is the lab's scheduler and kubelet in one: it registers a Node,
// binds every pod to it, and runs each container as a real process on the pod's own
// IP address, with probes, restarts, back-off and graceful deletion as a
// kubelet does them.
//
// It does not pull images: Options.Program says which program an image stands for. It
// does not run init containers or exec probes, mount volumes, or limit resources. A
// process sees the machine's file system, except for the files that name the cluster's
// DNS server. A container writes its termination message to the file that MessageVariable
// names, or else it is the end of the log, if the container's policy asks for that. test/lab
// starts it, in the namespace that test/lab/netns makes.
package node
