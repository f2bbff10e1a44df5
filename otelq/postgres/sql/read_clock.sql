-- Reads the database's time, for rows that are written with COPY and cannot compute it.
SELECT {now} AS at
