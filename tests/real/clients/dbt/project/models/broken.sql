{{ config(materialized='table', tags=['broken']) }}
select nope from tpch.tiny.nation
