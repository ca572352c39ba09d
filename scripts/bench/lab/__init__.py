"""What measurements need: services, evsup under the kernel's counters, and what a measured run is."""
