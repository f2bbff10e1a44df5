"""The interfaces of technologies: a state adapter stores jobs, a notify adapter carries hints."""
