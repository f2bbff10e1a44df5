"""What happens to jobs when processes, connections and servers die."""
